"""The targets: bytes in, nothing out, an exception for a bug. Every input can be replayed from a file."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import click
import pcre2
from msgspec.structs import replace

from nginxaudit.cli.main import main
from nginxaudit.engine.fix.fixing import ENOUGH, Fixed, fix
from nginxaudit.engine.results.baseline import BaselineError
from nginxaudit.engine.results.report import Report
from nginxaudit.engine.rules.pages import parse_page
from nginxaudit.engine.rules.rule import PageError
from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings, SettingsError, load
from nginxaudit.pcre import Expression, parse
from nginxaudit.pcre.backtracking import danger
from nginxaudit.source.dump import is_dump, split_dump
from tests.fuzz import drilled, invariants
from tests.fuzz.clock import timed

_ALL = Settings(extend_select=("ALL",), ignore=("drill",))  # simulations take their time, whatever the text
VARIANTS = {
    "plus": replace(_ALL, edition="plus"),
    "old": replace(_ALL, nginx_version="1.10.0"),
    "lua": replace(_ALL, modules=("lua",)),
    "files": replace(_ALL, check_files=True),
    "fragments": replace(_ALL, fragments=True, context="http,server"),
}
COMMANDS = {
    **{name: ("scan", "-", "--format", name) for name in ("json", "sarif", "github", "gitlab", "junit", "checkstyle", "rdjson")},
    **{name: ("scan", "-", "--format", name, "--show-suppressed") for name in ("concise", "markdown", "html")},
    "text": ("scan", "-", "--all", "--color", "always"),
    "statistics": ("scan", "-", "--statistics"),
    "diff": ("scan", "-", "--diff", "--unsafe-fixes"),
    "fix": ("scan", "-", "--fix", "--unsafe-fixes"),
    "upstreams": ("upstreams", "-"),
    "upstreams-json": ("upstreams", "-", "--format", "json"),
    "graph": ("graph", "-"),
    "graph-json": ("graph", "-", "--format", "json"),
    "trace": ("trace", "-", "http://a/b/c.php?x=1", "b/%2e/", "https://localhost:8443/A//"),
    "trace-json": ("trace", "-", "http://a/", "a/x", "--from", "10.0.0.1", "--only-files", "--format", "json"),
}  # fmt: skip
_JSON = ("json", "sarif", "gitlab", "rdjson", "upstreams-json", "graph-json", "trace-json")
_XML = ("junit", "checkstyle")
MARK = b"# fuzz: "
_SMALL = b"events {}\nhttp { gzip on; upstream a { server b; } server { listen 80; location / { proxy_pass http://a; } } }\n"


@dataclass(frozen=True)
class Target:
    """One entry: what it does with an input, and how many times the usual time it may take."""

    name: str
    run: Callable[[bytes], None]
    weight: float = 1.0

    def __call__(self, data: bytes) -> None:
        """Raise if something does not hold for ``data``."""
        timed(lambda: self.run(data), len(data), self.weight)


@cache
def scratch() -> Path:
    """An empty folder of this process: includes of what is scanned find nothing there."""
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


def leave_nothing() -> None:
    """Delete the folder."""
    shutil.rmtree(scratch(), ignore_errors=True)
    scratch.cache_clear()


def variant(data: bytes) -> str:
    """The first line may say how it is to be read: ``# fuzz: plus``."""
    first = data[len(MARK) :].partition(b"\n")[0] if data.startswith(MARK) else b""
    return first.decode("ascii", "replace").strip()


def _text(data: bytes) -> str:
    return data.replace(b"\0", b"").decode("utf-8", "surrogateescape")


def _scan(data: bytes) -> Report:
    settings = replace(VARIANTS.get(variant(data), _ALL), stdin_filename=str(scratch() / "nginx.conf"))
    return audit(["-"], settings, stdin=io.BytesIO(data))


def _whole(data: bytes) -> None:
    report = _scan(data)
    invariants.check_report(report)
    invariants.require_same(report, _scan(data))


def _remarks(data: bytes) -> None:
    silenced = _scan(data)
    invariants.check_report(silenced)
    plain = _scan(invariants.without_ignores(_text(data)).encode("utf-8", "surrogateescape"))
    invariants.require_only_silenced(plain, silenced)


def _dump(data: bytes) -> None:
    text = _text(data)
    if is_dump(text):
        dumps = split_dump(text)
        assert dumps and all(dump.files for dump in dumps), "a dump without files"
        if "\x1b" not in text and "\r" not in text:
            files = [each for dump in dumps for each in dump.files.values()]
            assert all(line in text for each in files for line in each.split("\n"))
    invariants.check_report(_scan(data))


def _fixes(data: bytes) -> None:
    settings = replace(VARIANTS.get(variant(data), _ALL), stdin_filename=str(scratch() / "nginx.conf"))
    before = audit(["-"], settings, stdin=io.BytesIO(data))
    first = fix(["-"], settings, unsafe=True, stdin=data)
    invariants.check_report(first.report)
    if first.stdin is None:
        assert not first.applied
        return
    _require_better(before, first)
    if any(reason == ENOUGH for _, reason in first.rejected):
        return
    second = fix(["-"], settings, unsafe=True, stdin=first.stdin.encode("utf-8", "surrogateescape"))
    assert second.stdin in (None, first.stdin), (
        f"fixed twice it changes again: {sorted({f.rule for f in second.applied})}"
    )


def _require_better(before: Report, after: Fixed) -> None:
    gaps = [sum(len(file.errors) for file in report.files) for report in (before, after.report)]
    if gaps[0] == gaps[1]:
        worse = invariants.refusals(after.report.findings) - invariants.refusals(before.findings)
        assert not worse, f"fixed, nginx refuses more: {sorted(worse)}"


def _settings(data: bytes) -> None:
    for name in ("nginxaudit.toml", "pyproject.toml"):
        file = scratch() / name
        file.write_bytes(data)
        try:
            settings = load(str(file))
            report = audit(["-"], settings, stdin=io.BytesIO(_SMALL))
        except (SettingsError, PageError, BaselineError):
            pass
        else:
            invariants.check_report(report)
        finally:
            file.unlink()


def _page(data: bytes) -> None:
    directory = scratch() / "own"
    file = directory / "style" / "some-rule.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    settings = Settings(rules=(str(directory),), extend_select=("some-rule",))
    with contextlib.suppress(PageError):
        parse_page(file)
    with contextlib.suppress(PageError):
        _ = parse_page(file).examples
    with contextlib.suppress(PageError, SettingsError):
        invariants.check_report(audit(["-"], settings, stdin=io.BytesIO(_SMALL)))
        invariants.check_report(fix(["-"], settings, unsafe=True, stdin=_SMALL).report)


def _regex(data: bytes) -> None:
    text = _text(data)
    for caseless in (False, True):
        expression = parse(text, caseless=caseless)
        if expression is None:
            continue
        _ask(expression)
        compiled = _groups(data.replace(b"\0", b""), caseless)
        if compiled is not None:
            assert compiled == expression.groups, f"PCRE2 counts {compiled} groups, not {expression.groups}"


def _ask(expression: Expression) -> None:
    """Ask everything that can be asked."""
    assert danger(expression) is None or not expression.loops_once
    for name in (
        "exact",
        "looks",
        "starts_anchored",
        "ends_anchored",
        "literal",
        "prefix",
        "matches_every_path",
        "covered",
        "parents",
    ):
        getattr(expression, name)
    for group in [*range(min(expression.groups, 20) + 2), *expression.names]:
        expression.group_may_contain(group, "\n/")
        expression.group_may_start_with(group, "/")
        expression.group_may_be_empty(group)
        texts = expression.group_texts(group)
        assert texts is None or len(texts) <= 10_000


def _groups(pattern: bytes, caseless: bool) -> int | None:
    try:
        return int(pcre2.compile(pattern, flags=pcre2.I if caseless else 0).groups)
    except Exception:
        return None


class _Streams:
    """Standard streams of a command that runs in this process."""

    def __init__(self, data: bytes) -> None:
        self.stdin = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="surrogateescape")
        self.stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        self.stderr = io.TextIOWrapper(
            io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True
        )

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        own = sys.stdin, sys.stdout, sys.stderr
        sys.stdin, sys.stdout, sys.stderr = self.stdin, self.stdout, self.stderr
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = own


def _command(data: bytes) -> None:
    name = variant(data)
    arguments = COMMANDS.get(name, COMMANDS["text"])
    streams = _Streams(data)
    with streams.installed():
        try:
            code = main(
                [*arguments, "--no-settings", "--stdin-filename", str(scratch() / "nginx.conf")],
                standalone_mode=False,
            )
        except click.ClickException as error:
            code = error.exit_code
    assert code in (None, *range(4)), f"exit code {code}: {streams.stderr.buffer.getvalue()[-200:]!r}"
    output = streams.stdout.buffer.getvalue().decode(
        "utf-8", "strict" if name in (*_JSON, *_XML) else "replace"
    )
    if code == 2 and not output:
        return  # refused: a dump is not fixed
    if name in _JSON:
        json.loads(output)
    elif name in _XML:
        ElementTree.fromstring(output)


def _folder(data: bytes) -> None:
    """A folder with the files that a dump names, scanned and fixed on disk's behalf."""
    directory = Path(tempfile.mkdtemp(dir=scratch()))
    try:
        for path, text in [pair for dump in split_dump(_text(data)) for pair in dump.files.items()]:
            file = directory / path.removeprefix("/etc/nginx/").replace(
                "/", "_" if "conf.d" not in path else os.sep
            ).strip("./")
            with contextlib.suppress(OSError, ValueError):
                file.parent.mkdir(exist_ok=True, parents=True)
                file.write_bytes(text.encode("utf-8", "surrogateescape"))
        settings = replace(VARIANTS.get(variant(data), _ALL), prefix="/etc/nginx")
        report = audit([str(directory)], settings)
        invariants.check_report(report)
        invariants.require_same(report, audit([str(directory)], settings))
        fixed = fix([str(directory)], settings, unsafe=True)
        invariants.check_report(fixed.report)
        _require_better(report, fixed)
    finally:
        shutil.rmtree(directory)


TARGETS = {
    target.name: target
    for target in (
        Target("words", lambda data: invariants.check_words(_text(data))),
        Target("tree", lambda data: invariants.check_tree(_text(data))),
        Target("regex", _regex),
        Target("settings", _settings, 4),
        Target("remarks", _remarks, 2),
        Target("dump", _dump),
        Target("page", _page, 4),
        Target("scan", _whole, 2),
        Target("command", _command, 3),
        Target("fixes", _fixes, 25),
        Target("folder", _folder, 25),
        Target("drill", lambda data: drilled.check(data, variant(data)), 40),
    )
}
