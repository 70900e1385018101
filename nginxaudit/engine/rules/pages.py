"""Rule pages: ``rules/<category>/<slug>.md`` to a `Rule` and its examples.

A page is TOML front matter between ``+++`` lines, then Markdown: the first heading is the title, the
sections *What it does*, *Why it matters*, *How to fix* and *When to ignore it* follow, then examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from nginxaudit.engine.rules.options import defaults_of
from nginxaudit.engine.rules.places import page_of
from nginxaudit.engine.rules.rule import FrontMatter, PageError, Rule
from nginxaudit.engine.tables import TableError, read
from nginxaudit.source.fence import EVERYWHERE, Fence, read_utf8
from nginxaudit.source.read import ReadError, Unreadable

_FRONT = re.compile(r"\A\+\+\+\n(.*?)\n\+\+\+\n(.*)\Z", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HEADING = re.compile(r"^# (.+)$", re.MULTILINE)
_FENCE = re.compile(r"```nginx\b(.*)")
_SECTIONS = {"what": "What it does", "why": "Why it matters", "remedy": "How to fix"}
_EXAMPLE_OPTIONS = frozenset({"edition", "nginx-version", "since", "until", "openssl", "name", "mode"})
_FLAGS = frozenset({"accepted", "refused", "needs-dns", "check-files", "no-fix", "part"})


class Example(Struct, frozen=True):
    """An example of a page: the main text and files beside it.

    ``kind`` is ``bad`` or ``good``; in a bad one ``# finding: warning "words"`` marks the lines of the findings.
    ``options`` are ``key=value`` words of the fence: ``edition``, ``nginx-version``, ``name``, ``mode`` (of the files); ``since``, ``until`` and
    ``openssl`` for examples that versions outside of these judge the other way; an option of the rule by its name;
    ``flags`` its other words: ``accepted`` and ``refused`` for examples that nginx judges otherwise
    than the rule says, ``needs-dns`` where its answer depends on the machine, ``part`` for a file that is no whole configuration, ``no-fix`` where the rule's fix has
    nothing to offer. ``files`` maps a
    path relative to the example to its text. ``fixed`` is the main text after the rule's fix, None where the page does not show it.
    """

    kind: str
    text: str
    options: Mapping[str, str]
    flags: frozenset[str]
    files: Mapping[str, str]
    fixed: str | None = None


class Page(Struct, frozen=True):
    """A rule and the Markdown below its front matter."""

    rule: Rule
    body: str

    @property
    def examples(self) -> tuple[Example, ...]:
        """All examples, in order. Raises `PageError` for a fence nobody understands."""
        examples: list[Example] = []
        known = _EXAMPLE_OPTIONS | self.rule.options.keys()
        for info, text in _fences(self.body):
            words = info.split()
            options = dict(word.split("=", 1) for word in words if "=" in word)
            kind, *flags = [word for word in words if "=" not in word] or [""]
            if "file" in options and not kind and examples:
                last = examples[-1]
                examples[-1] = replace(last, files={**last.files, options["file"]: text})
            elif kind == "fixed" and examples and examples[-1].kind == "bad":
                examples[-1] = replace(examples[-1], fixed=text)
            elif kind in ("bad", "good") and _FLAGS.issuperset(flags) and options.keys() <= known:
                examples.append(Example(kind, text, options, frozenset(flags), {}))
            elif kind:
                raise PageError(f"{self.rule.path}: unknown example fence ```nginx{info}")
        return tuple(examples)


def _fences(body: str) -> Iterator[tuple[str, str]]:
    """The examples of a page: what follows ``nginx`` on the line that opens one, and its text. One that is never closed is none."""
    info: str | None = None
    lines: list[str] = []
    for line in body.split("\n"):
        if info is None:
            opening = _FENCE.match(line)
            info, lines = (opening[1] if opening else None), []
        elif line == "```":
            yield info, "".join(f"{each}\n" for each in lines)
            info = None
        else:
            lines.append(line)


def read_page(rule: Rule) -> Page:
    """The page of ``rule`` with its body."""
    return parse_page(Path(page_of(rule)))


def body_of(rule: Rule) -> str:
    """The Markdown of the page of ``rule``, as it is now. Raises `PageError`."""
    return _parts(Path(page_of(rule)))[1]


def parse_page(path: Path, fence: Fence = EVERYWHERE) -> Page:
    """Parse one page, which may not lead out of ``fence``; category and slug are taken from its path. Raises `PageError`."""
    import tomllib

    toml, body = _parts(path, fence)
    try:
        front = tomllib.loads(toml)
    except ValueError as error:  # also a number of thousands of digits
        raise PageError(f"{path}: {error}") from None
    except RecursionError:
        raise PageError(f"{path}: the front matter is nested too deeply") from None
    return Page(_rule(path, front, body), body)


def _parts(path: Path, fence: Fence = EVERYWHERE) -> tuple[str, str]:
    """Front matter and body of a page. Raises `PageError`."""
    try:
        text = read_utf8(str(path), fence)
    except ReadError as error:
        if error.kind is Unreadable.OUTSIDE:
            raise PageError(f"{path}: it is a link that leads out of the directory of rule pages") from None
        raise PageError(f"{path}: cannot be read: {error}") from None
    match = _FRONT.match(text)
    if match is None:
        raise PageError(f"{path}: a rule page begins with TOML between two lines of +++")
    return match[1], match[2]


def _rule(path: Path, front: dict[str, Any], body: str) -> Rule:
    try:
        said = read(FrontMatter, front, noun="key")
    except TableError as error:
        raise PageError(f"{path}: {error}") from None
    for what, name in (("id", said.id), ("file", path.stem), ("directory", path.parent.name)):
        if not _NAME.fullmatch(name):
            raise PageError(f"{path}: {what}: letters, digits and hyphens are expected, not {name!r}")
    title = _HEADING.search(body)
    if title is None:
        raise PageError(f"{path}: the page has no heading")
    sentences: dict[str, Any] = {
        key: _first_sentence(path, body, section) for key, section in _SECTIONS.items()
    }
    rule = Rule(
        **asdict(said),
        **sentences,
        slug=path.stem,
        category=path.parent.name,
        title=title[1].strip(),
        path=str(path),
    )
    defaults_of(rule)
    return rule


def _first_sentence(path: Path, body: str, section: str) -> str:
    found = re.search(rf"^## {section}\n+(.+?)(?:\n\n|\Z)", body, re.MULTILINE | re.DOTALL)
    if found is None:
        raise PageError(f"{path}: the section '## {section}' is missing")
    paragraph = " ".join(found[1].split())
    sentence = re.match(r".+?(?<!e\.g)(?<!i\.e)[.!?](?= [A-Z`*\"]|$)", paragraph)
    return (sentence[0] if sentence else paragraph).replace("`", "").replace("**", "")
