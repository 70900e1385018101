"""A template as nginx would see it, as far as that can be said: text of the same length, and what is unsure in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from nginxaudit.nginx.patterns import compiled
from nginxaudit.templates.braces import fitting
from nginxaudit.templates.branches import Branch, Span, find_branches
from nginxaudit.templates.marks import SUFFIXES, Mark, dialects_of, find_marks
from nginxaudit.templates.statements import Role

FILLER = "\ue000"
"""Stands for each character of a value: in no text but by chance, and a part of words for nginx."""


class Template:
    """What a template says.

    ``text`` has the length and the places of the original: values are `FILLER`, statements and comments of the engine
    are blank, and where alternatives open or close blocks, those of one are kept. ``marks`` are the parts that are
    replaced. ``balanced`` says that its blocks fit together so. ``unread`` are alternatives that were left out.
    ``named``: the name of the file says that it is a template.
    """

    __slots__ = (
        "_branches",
        "_ends",
        "_marks_at",
        "_starts",
        "balanced",
        "dialects",
        "marks",
        "named",
        "text",
        "unread",
    )

    def __init__(self, text: str, marks: list[Mark], dialects: frozenset[str], *, named: bool) -> None:
        self.named = named
        self.dialects = dialects
        self.marks = marks
        self._branches = find_branches(marks)
        hidden = sorted(self._branches.hidden)
        filled = _blanked(_masked(text, marks), hidden)
        choice = fitting(filled, self._branches.groups)
        self.text = _blanked(filled, sorted(choice.hidden))
        self.balanced = choice.balanced
        self.unread = choice.unread
        told = [mark for mark in marks if mark.role not in (Role.NOTHING, Role.LITERAL)]
        self._starts = [mark.start for mark in told]
        self._ends = [mark.end for mark in told]

    def touches(self, start: int, end: int) -> bool:
        """Whether something from ``start`` to ``end`` is replaced, or is there only on a condition."""
        index = bisect_right(self._ends, start)
        return index < len(self._starts) and self._starts[index] < end

    def branch(self, offset: int) -> Branch | None:
        """The innermost condition, loop or macro around ``offset``; None outside of all."""
        return self._branches.at(offset)


def read_template(text: str, path: str) -> Template | None:
    """``text`` as a template; None where nothing in it is to be filled in. ``path`` may say that it is one."""
    named = path.endswith(SUFFIXES)
    dialects = dialects_of(text, named=named)
    if not dialects:
        return None
    marks = find_marks(text, dialects)
    return Template(text, marks, dialects, named=named) if marks else None


def _masked(text: str, marks: Iterable[Mark]) -> str:
    parts: list[str] = []
    position = 0
    for mark in marks:
        parts += (text[position : mark.start], _standing_for(text, mark))
        position = mark.end
    parts.append(text[position:])
    return "".join(parts)


def _standing_for(text: str, mark: Mark) -> str:
    if mark.role is Role.VALUE:
        return FILLER * (mark.end - mark.start)
    if mark.role is Role.LITERAL:
        return mark.text.rjust(mark.end - mark.start)
    return _blank(text[mark.start : mark.end])


def _blank(text: str) -> str:
    return compiled(r"[^\n]").sub(" ", text)


def _blanked(text: str, spans: list[Span]) -> str:
    """``text`` with ``spans``, which may overlap, as white space."""
    if not spans:
        return text
    parts: list[str] = []
    position = 0
    for start, end in spans:
        if end <= position:
            continue
        start = max(start, position)
        parts += (text[position:start], _blank(text[start:end]))
        position = end
    parts.append(text[position:])
    return "".join(parts)
