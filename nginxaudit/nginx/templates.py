"""Places in a configuration that something else fills in before nginx reads it.

What is opened and never closed is looked for once, not from every opening anew: `marks` takes time in proportion to
the text, which no single regular expression with ``.*?`` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nginxaudit.nginx.patterns import compiled

_OPENING = r"(?<![${])\{\{|\{%|<%"  # Jinja, Go, Helm and Mustache; statements of Jinja; ERB
SIGNS = ("{{", "{%", "<%")
"""What a part begins with that a template engine replaces by any text."""
SUFFIXES = (
    ".template", ".tmpl", ".tpl", ".j2", ".jinja", ".jinja2", ".erb", ".ctmpl", ".gotmpl", ".mustache", ".in",
)  # fmt: skip
"""Ends of the names of files that are to be filled in."""
_CLOSING = dict(zip(SIGNS, ("}}", "%}", "%>"), strict=True))
_NAMES = (
    r"|\$\{[A-Z][A-Z0-9_]*\}"  # envsubst, as in Docker's images: nginx's own names are lower-case
    r"|(?<![A-Za-z0-9_])__[A-Z][A-Z0-9_]*[A-Z0-9]__(?![A-Za-z0-9_])"
    r"|(?<![A-Za-z0-9_])(?:CHANGE_?ME|REPLACE_?ME)(?![A-Za-z0-9_])"
)
_BRACES = r"\{\{|\{%"
# A search for words is faster than one for patterns.
_SIGNS = (*SIGNS, "${", "__", "CHANGE", "REPLACE")


class Mark(NamedTuple):
    """A part that is to be filled in; one that is not ``closed`` was looked through until ``end``."""

    start: int
    end: int
    closed: bool


def marks(text: str, *, one_line: bool = False) -> Iterator[Mark]:
    """What template engines mark, in order; ``one_line``: with its end on the line of its start."""
    return _marks(text, _OPENING, one_line)


def placeholders(text: str) -> Iterator[str]:
    """The parts of ``text`` that are to be filled in, in order."""
    return (text[each.start : each.end] for each in _marks(text, _OPENING + _NAMES) if each.closed)


def has_placeholder(text: str, *, quoted: bool = False) -> bool:
    """Whether ``text`` has a part that is to be filled in.

    In a ``quoted`` word double braces may well be meant: JSON, or a template that a browser fills in.
    """
    for sign in _SIGNS:
        if sign in text:
            return any(True for _ in placeholders(_without_braces(text) if quoted else text))
    return False


def _without_braces(text: str) -> str:
    parts, position = [], 0
    for each in _marks(text, _BRACES):
        if each.closed:
            parts.append(text[position : each.start])
            position = each.end
    return "".join([*parts, text[position:]])


def _marks(text: str, pattern: str, one_line: bool = False) -> Iterator[Mark]:
    """What ``pattern`` finds: whole names, and openings, whose ends are looked for here."""
    search = compiled(pattern).search
    known: dict[str, int] = {}  # closing mark or line end -> its next place, as far as it was looked for
    position = 0

    def following(word: str, start: int) -> int:
        at = known.get(word, -1)
        if at < start:
            at = text.find(word, start)
            at = known[word] = at if at >= 0 else len(text)
        return at

    while (found := search(text, position)) is not None:
        start, end = found.span()
        closing = _CLOSING.get(found[0])
        if closing is None:
            yield Mark(start, end, True)
            position = end
            continue
        close = following(closing, end)
        limit = following("\n", end) if one_line else len(text)
        if close < limit:
            position = close + len(closing)
            yield Mark(start, position, True)
        else:
            position = start + 1
            yield Mark(start, limit, False)
