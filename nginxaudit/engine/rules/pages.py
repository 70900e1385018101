"""Rule pages: ``rules/<category>/<slug>.md`` to a `Rule` and its examples.

A page is TOML front matter between ``+++`` lines, then Markdown: the first heading is the title, the
sections *What it does*, *Why it matters*, *How to fix* and *When to ignore it* follow, then examples.
This module needs the standard library only: the build hook uses it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.engine.rules.rule import Option, PageError, Rule
from nginxaudit.finding import Confidence, Severity
from nginxaudit.source.fence import EVERYWHERE, Fence, read_utf8
from nginxaudit.source.read import ReadError, Unreadable

_FRONT = re.compile(r"\A\+\+\+\n(.*?)\n\+\+\+\n(.*)\Z", re.DOTALL)
_HEADING = re.compile(r"^# (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^```nginx\b([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTIONS = {"what": "What it does", "why": "Why it matters", "remedy": "How to fix"}
_REQUIRED = ("id", "severity", "confidence", "check")
_OPTIONAL = frozenset(
    {
        "default",
        "rejected-by-nginx",
        "tags",
        "cwe",
        "fix",
        "repair",
        "since",
        "edition",
        "nginx-since",
        "nginx-until",
        "references",
        "proofs",
        "options",
    }
)
_KINDS: dict[type, tuple[str, frozenset[str]]] = {
    str: (
        "a text",
        frozenset({"id", "severity", "confidence", "fix", "since", "edition", "nginx-since", "nginx-until"}),
    ),
    bool: ("true or false", frozenset({"default", "rejected-by-nginx"})),
    list: ("a list of texts", frozenset({"tags", "references", "proofs"})),
    dict: ("a table", frozenset({"check", "repair", "options"})),
}
_OPTION_TYPES = ("integer", "number", "string", "boolean", "duration", "list")
_EXAMPLE_OPTIONS = frozenset({"edition", "nginx-version", "since", "until", "openssl", "name"})
_FLAGS = frozenset({"accepted", "refused", "needs-dns", "check-files", "no-fix"})


class Example(Struct, frozen=True):
    """An example of a page: the main text and files beside it.

    ``kind`` is ``bad`` or ``good``; in a bad one ``# finding: warning "words"`` marks the lines of the findings.
    ``options`` are ``key=value`` words of the fence: ``edition``, ``nginx-version``, ``name``; ``since``, ``until`` and
    ``openssl`` for examples that versions outside of these judge the other way;
    ``flags`` its other words: ``accepted`` and ``refused`` for examples that nginx judges otherwise
    than the rule says, ``needs-dns`` where its answer depends on the machine, ``no-fix`` where the rule's fix has
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
        for fence in _FENCE.finditer(self.body):
            words = fence[1].split()
            options = dict(word.split("=", 1) for word in words if "=" in word)
            kind, *flags = [word for word in words if "=" not in word] or [""]
            if "file" in options and not kind and examples:
                last = examples[-1]
                examples[-1] = replace(last, files={**last.files, options["file"]: fence[2]})
            elif kind == "fixed" and examples and examples[-1].kind == "bad":
                examples[-1] = replace(examples[-1], fixed=fence[2])
            elif (
                kind in ("bad", "good") and _FLAGS.issuperset(flags) and _EXAMPLE_OPTIONS.issuperset(options)
            ):
                examples.append(Example(kind, fence[2], options, frozenset(flags), {}))
            elif kind:
                raise PageError(f"{self.rule.path}: unknown example fence ```nginx{fence[1]}")
        return tuple(examples)


def read_page(rule: Rule) -> Page:
    """The page of ``rule`` with its body."""
    return parse_page(Path(rule.path))


def body_of(rule: Rule) -> str:
    """The Markdown of the page of ``rule``, as it is now. Raises `PageError`."""
    return _parts(Path(rule.path))[1]


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
    _check_keys(path, front)
    title = _HEADING.search(body)
    if title is None:
        raise PageError(f"{path}: the page has no heading")
    sentences = {key: _first_sentence(path, body, section) for key, section in _SECTIONS.items()}
    try:
        return Rule(
            id=front["id"],
            slug=path.stem,
            category=path.parent.name,
            title=title[1].strip(),
            severity=Severity[front["severity"].upper()],
            confidence=Confidence[front["confidence"].upper()],
            path=str(path),
            default=front.get("default", True),
            rejected_by_nginx=front.get("rejected-by-nginx", False),
            fix=front.get("fix", "none"),
            since=front.get("since", "0.1.0"),
            edition=front.get("edition"),
            nginx_since=front.get("nginx-since"),
            nginx_until=front.get("nginx-until"),
            tags=tuple(front.get("tags", ())),
            cwe=_numbers(front, path),
            references=tuple(front.get("references", ())),
            proofs=tuple(front.get("proofs", ())),
            check=front["check"],
            repair=front.get("repair", {}),
            options=tuple(
                Option(name, entry["type"], entry["default"], entry["description"])
                for name, entry in front.get("options", {}).items()
            ),
            **sentences,
        )
    except KeyError as error:
        raise PageError(f"{path}: unknown value or missing key {error}") from None


def _numbers(front: dict[str, Any], path: Path) -> tuple[int, ...]:
    """The CWE numbers of a page: ``cwe = [22]``."""
    numbers = front.get("cwe", [])
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        raise PageError(f"{path}: cwe is a list of numbers such as [22], not {numbers!r}")
    return tuple(numbers)


def _check_keys(path: Path, front: dict[str, Any]) -> None:
    missing = [key for key in _REQUIRED if key not in front]
    unknown = sorted(set(front) - _OPTIONAL - set(_REQUIRED))
    if missing or unknown:
        what = f"lacks {', '.join(missing)}" if missing else f"has unknown keys: {', '.join(unknown)}"
        raise PageError(f"{path}: the front matter {what}")
    for kind, (words, keys) in _KINDS.items():
        for key in sorted(keys & set(front)):
            if not _is(kind, front[key]):
                raise PageError(f"{path}: {key}: {words} is expected, not {front[key]!r}")
    for name, entry in front.get("options", {}).items():
        _check_option(path, name, entry)


def _is(kind: Any, value: Any) -> bool:
    return isinstance(value, kind) and (kind is not list or all(isinstance(each, str) for each in value))


def _check_option(path: Path, name: str, entry: Any) -> None:
    if not isinstance(entry, dict) or not {"type", "default", "description"} <= set(entry):
        raise PageError(f"{path}: options.{name}: a table with type, default and description is expected")
    if entry["type"] not in _OPTION_TYPES:
        raise PageError(f"{path}: options.{name}.type: one of {', '.join(_OPTION_TYPES)} is expected")


def _first_sentence(path: Path, body: str, section: str) -> str:
    found = re.search(rf"^## {section}\n+(.+?)(?:\n\n|\Z)", body, re.MULTILINE | re.DOTALL)
    if found is None:
        raise PageError(f"{path}: the section '## {section}' is missing")
    paragraph = " ".join(found[1].split())
    sentence = re.match(r".+?(?<!e\.g)(?<!i\.e)[.!?](?= [A-Z`*\"]|$)", paragraph)
    return (sentence[0] if sentence else paragraph).replace("`", "").replace("**", "")
