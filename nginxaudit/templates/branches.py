"""Which parts of a template are alternatives of a condition, repeated, or placed elsewhere."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from msgspec import Struct

from nginxaudit.templates.marks import Mark
from nginxaudit.templates.statements import Role

MAX_DEPTH = 40
"""Conditions that are nested deeper count as a part of those around them; nobody writes them."""

Span = tuple[int, int]


class Branch:
    """One alternative of a condition, or the body of a loop or a macro; equal only to itself."""

    __slots__ = ("depth", "elsewhere", "parent")

    def __init__(self, parent: Branch | None, *, elsewhere: bool) -> None:
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent else 1
        self.elsewhere: bool = elsewhere or (parent is not None and parent.elsewhere)


class Branches(Struct):
    """``groups``: the alternatives of each condition, inner conditions first. ``hidden``: what is not placed at all.

    ``starts`` and ``parts`` say which branch begins where; None outside of all.
    """

    starts: list[int]
    parts: list[Branch | None]
    groups: list[list[Span]]
    hidden: list[Span]

    def at(self, offset: int) -> Branch | None:
        """The innermost branch around ``offset``."""
        return self.parts[bisect_right(self.starts, offset) - 1]


class _Group(Struct):
    role: Role
    alternatives: list[Span]
    begin: int  # of the alternative that is open
    outer: Branch | None


def find_branches(marks: Iterable[Mark]) -> Branches:
    """The structure that the statements among ``marks`` give a text. What does not fit together is passed over."""
    found = Branches([0], [None], [], [])
    stack: list[_Group] = []
    current: Branch | None = None
    ignored = 0  # conditions nested too deep that are open

    def enter(offset: int, branch: Branch | None) -> None:
        found.starts.append(offset)
        found.parts.append(branch)

    for mark in marks:
        role = mark.role
        if role in (Role.IF, Role.LOOP, Role.ELSEWHERE, Role.HIDDEN):
            if len(stack) >= MAX_DEPTH:
                ignored += 1
                continue
            stack.append(_Group(role, [], mark.end, current))
            current = Branch(current, elsewhere=role is Role.ELSEWHERE)
            enter(mark.end, current)
        elif role is Role.ELSE and stack and not ignored:
            group = stack[-1]
            group.alternatives.append((group.begin, mark.start))
            group.begin = mark.end
            current = Branch(group.outer, elsewhere=False)
            enter(mark.end, current)
        elif role is Role.END and ignored:
            ignored -= 1
        elif role is Role.END and stack:
            group = stack.pop()
            group.alternatives.append((group.begin, mark.start))
            if group.role is Role.HIDDEN:
                found.hidden.append((group.alternatives[0][0], mark.start))
            else:
                found.groups.append(group.alternatives)
            current = group.outer
            enter(mark.end, current)
    return found
