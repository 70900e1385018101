"""A secret of a configuration is in nothing that is written, whatever is asked for; what is no secret stays readable."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest

from nginxaudit.drill.load import Traffic
from nginxaudit.engine.results.baseline import dump, entry_of
from nginxaudit.engine.run.audit import Examination, examine
from nginxaudit.engine.settings import Settings
from nginxaudit.nginx.directives import known_names
from nginxaudit.nginx.secrets import mask_secrets
from nginxaudit.report import FORMATS, RenderOptions, render
from nginxaudit.report.statistics import render_statistics
from nginxaudit.views.drill import FORMATS as DRILLS
from nginxaudit.views.drill import render_drill
from nginxaudit.views.drill.view import drilled_of
from nginxaudit.views.graph import FORMATS as GRAPHS
from nginxaudit.views.graph import render_graph
from nginxaudit.views.graph.view import views_of as graphs_of
from nginxaudit.views.upstreams import FORMATS as UPSTREAMS
from nginxaudit.views.upstreams import render_upstreams
from nginxaudit.views.upstreams.view import views_of as upstreams_of
from tests.security.needles import HARMLESS, NEEDLES, configuration
from tests.support.command import nginxaudit

# Reports every directive, with its arguments in the message: what no rule of today says, one of tomorrow may.
PAGE = """+++
id = "XYZ0001"
severity = "warning"
confidence = "high"
[check]
directive = [{names}]
third-party = [{unknown}]
message = "{{directive}} has {{args}}"
help = "Look at it."
+++
# Everything

## What it does
It reports.

## Why it matters
It matters.

## How to fix
Look.
"""


def listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def write_page(directory: Path, text: str) -> str:
    """A page of our own that reports every directive of ``text``; its directory."""
    names = sorted(set(re.findall(r"(?:^|[{};])\s*([a-z_0-9]+)(?=\s)", text)) - {"events"})
    page = directory / "pages" / "security" / "everything.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    unknown = [name for name in names if name not in known_names()]
    page.write_text(PAGE.format(names=listed(names), unknown=listed(unknown)))
    return str(directory / "pages")


def outputs(found: Examination, settings: Settings) -> Iterator[tuple[str, str]]:
    """Everything that the commands make of one run."""
    graphs = graphs_of(found.models, found.active)
    options = RenderOptions(fold=False, show_suppressed=True, views=graphs)
    for name in FORMATS:
        for each in (options, RenderOptions(color=True, width=80)) if name == "text" else (options,):
            stream = io.StringIO()
            render(name, found.report, stream, each)
            yield f"scan {name}", stream.getvalue()
    for name in ("text", "json"):
        stream = io.StringIO()
        render_statistics(name, found.report, stream, options)
        yield f"statistics {name}", stream.getvalue()
    for name in GRAPHS:
        stream = io.StringIO()
        render_graph(name, graphs, stream)
        yield f"graph {name}", stream.getvalue()
    upstreams = list(upstreams_of(found.models, found.active))
    for name in UPSTREAMS:
        stream = io.StringIO()
        render_upstreams(name, upstreams, stream)
        yield f"upstreams {name}", stream.getvalue()
    drilled = drilled_of(found.models, Traffic(), ("refuse",), settings.target, "*", found.active, None)
    for name in DRILLS:
        stream = io.StringIO()
        render_drill(name, drilled, stream, show_all=True)
        yield f"drill {name}", stream.getvalue()
    yield "baseline", dump(entry_of(finding, ".") for finding in found.report.findings)
    fixes = (finding.fix for finding in found.report.findings if finding.fix)
    yield "titles of fixes", "\n".join(fix.title for fix in fixes)


def leaks(text: str) -> list[str]:
    """The secrets in ``text``, or eight characters of one, in any case, with what is around them."""
    low = text.lower()
    parts = {needle.lower() for needle in NEEDLES}
    parts |= {
        part
        for needle in parts
        if len(needle) >= 12
        for part in (needle[-8:], needle[len(needle) // 2 - 4 :][:8])
    }
    return [
        f"{part}: {text[max(low.index(part) - 120, 0) : low.index(part) + 60]}"
        for part in sorted(parts)
        if part in low
    ]


@pytest.mark.slow
@pytest.mark.parametrize("broken", [False, True], ids=["", "broken"])
def test_no_secret_is_in_any_output(broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(set(NEEDLES)) >= 60
    monkeypatch.chdir(tmp_path)
    text = configuration(broken=broken)
    assert all(needle in text for needle in NEEDLES)
    Path("nginx.conf").write_text(text)
    settings = Settings(select=("ALL",), rules=(write_page(tmp_path, text),))
    found = examine(["nginx.conf"], settings)
    assert sum(each.rule == "everything" for each in found.report.findings) > 100
    assert not found.report.crashes
    seen = 0
    for what, written in outputs(found, settings):
        assert not leaks(written), what
        seen += "*****" in written
    assert seen > 10, "what is not shown is not tested"


@pytest.mark.slow
def test_included_files_and_dumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = configuration()
    Path("nginx.conf").write_text(
        "events {}\nhttp { include all.conf; server { listen 8080; include all.conf; } }\n"
    )
    inner = text.partition("http {")[2].rpartition("}")[0]
    Path("all.conf").write_text(inner)
    Path("dump.txt").write_text(f"# configuration file /etc/nginx/nginx.conf:\n{text}\n")
    settings = Settings(select=("ALL",), rules=(write_page(tmp_path, text),))
    found = examine(["nginx.conf", "dump.txt"], settings)
    for what, written in outputs(found, settings):
        assert not leaks(written), what


@pytest.mark.slow
def test_manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = configuration()
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    coded = base64.b64encode(text.encode()).decode()
    Path("all.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n"
        f"  DB_PASSWORD: {NEEDLES[0]}\n  nginx.conf: |\n{lines}"
        f"---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: b\ndata:\n  nginx.conf: {coded}\n"
    )
    settings = Settings(select=("ALL",), rules=(write_page(tmp_path, text),))
    found = examine(["all.yaml"], settings)
    for what, written in outputs(found, settings):
        assert not leaks(written), what
        assert coded[:60] not in written, what


@pytest.mark.slow
def test_commands(tmp_path: Path) -> None:
    """Whole commands, what they say on standard error and the files that they write among it; only a patch has what it changes."""
    (tmp_path / "nginx.conf").write_text(configuration(broken=True))
    for arguments in (
        ("scan", "--all"),
        ("scan", "--diff", "--unsafe-fixes", "--select", "ALL"),
        ("scan", "--fix", "--unsafe-fixes", "--select", "ALL", "--format", "json"),
        ("baseline", "write"),
        ("baseline", "check"),
    ):
        done = nginxaudit(*arguments, "nginx.conf", cwd=tmp_path)
        assert done.returncode in (0, 1, 2, 3), done.stderr
        assert not leaks(done.stderr), arguments
        assert "--diff" in arguments or not leaks(done.stdout), arguments
    known = tmp_path / "nginxaudit-baseline.json"
    if known.exists():
        assert json.loads(known.read_text())["findings"]
        assert not leaks(known.read_text())
    (tmp_path / "nginx.conf").write_text("events {}\n")
    assert not leaks(nginxaudit("baseline", "check", "nginx.conf", cwd=tmp_path).stdout)


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_secret_stays(line: str) -> None:
    assert mask_secrets(line) == line
    assert mask_secrets(f"    {line}\n    {line}\n") == f"    {line}\n    {line}\n"


def test_what_is_no_secret_stays_in_whole_configurations() -> None:
    text = "".join(f"    {line}\n" for line in HARMLESS)
    assert mask_secrets(text) == text


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "key ", "key=", 'key="', "key: '", "map $key $key {", "map $key $y {a b;", "eyJ-", "eyJaaaaaaaa.", "sk-", "://a:", "a:b@", "@", "x:y", "{{", "<%",
        "-----BEGIN PRIVATE KEY-----\n", "-----BEGIN A ", "# key\n", "#key #", "secure_link_md5 a$b ", "$key", "token ", "token_", "set $key ", 'set $key "',
        "discord.com/api/webhooks/", "/hook/", "basic ", "key\n", "Set-Cookie a=b; ", 'key="\\"', "geo $key {\n", "Authorization: Bearer ", " data:a",
        "key:", '("key", "', "$1$a$", "key \\", "password is ", "if ($key = ", "proxy_set_header X-Key #key\n", "key=[[", "key([==[", "'data:\"", '"data:', "set_by_lua $key {return ", "curl -u a", "\n", "client_secret ",
    ],
    ids=repr,
)  # fmt: skip
def test_time_grows_with_the_text(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        begun = process_time()
        mask_secrets(text)
        mask_secrets(text, prose=True)
        return process_time() - begun

    small = min(seconds(10_000) for _ in range(3))
    assert min(seconds(40_000) for _ in range(3)) < 16 * small + 0.05


def test_spaces_without_end() -> None:
    begun = process_time()
    mask_secrets(f"client_secret{' ' * 200_000}")
    mask_secrets(f"proxy_set_header X-Api-Key{' ' * 200_000}")
    assert process_time() - begun < 5
