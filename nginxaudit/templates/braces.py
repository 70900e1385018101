"""Blocks that a condition opens or closes: of each condition, the braces of one alternative are kept."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from nginxaudit.nginx.patterns import compiled
from nginxaudit.templates.branches import Span

_PIECES = (
    r"(?<![^\s;{}])\#[^\n]*+"
    r"|(?<![^\s;{}])(?:\"(?:[^\"\\]++|\\.)*+\"|'(?:[^'\\]++|\\.)*+')"
    r"|\$\{+|\\.|([;{}])"
)


class _Brace(NamedTuple):
    at: int
    opening: bool
    header: int  # where the directive that it belongs to begins


class Choice(NamedTuple):
    """``hidden``: what is left out so that the blocks fit together; ``unread``: those of it with more than braces.

    ``balanced`` says whether they do.
    """

    hidden: list[Span]
    unread: list[Span]
    balanced: bool


def fitting(text: str, groups: Iterable[list[Span]]) -> Choice:
    """What to leave out of ``text`` of the alternatives ``groups``, inner ones first."""
    braces = _braces(text)
    places = [brace.at for brace in braces]
    alive = [True] * len(braces)
    hidden: list[Span] = []
    unread: list[Span] = []
    for alternatives in groups:
        kept: list[int] | None = None
        for start, end in alternatives:
            first, last = bisect_left(places, start), bisect_left(places, end)
            open_ones = _unmatched(braces, alive, first, last)
            if not open_ones:
                continue
            if kept is None:
                kept = open_ones
            elif _alike(text, braces, kept, open_ones):
                for index in open_ones:
                    alive[index] = False
                    brace = braces[index]
                    hidden.append((max(brace.header, start) if brace.opening else brace.at, brace.at + 1))
            else:
                alive[first:last] = [False] * (last - first)
                hidden.append((start, end))
                unread.append((start, end))
    return Choice(hidden, unread, not _unmatched(braces, alive, 0, len(braces)))


def _braces(text: str) -> list[_Brace]:
    found: list[_Brace] = []
    header = 0
    for piece in compiled(_PIECES, 16).finditer(text):
        sign = piece[1]
        if sign is None:
            if piece[0].startswith("#"):
                header = piece.end()
            continue
        if sign != ";":
            found.append(_Brace(piece.start(), sign == "{", header))
        header = piece.end()
    return found


def _unmatched(braces: list[_Brace], alive: list[bool], first: int, last: int) -> list[int]:
    """Indices of the braces from ``first`` to ``last`` whose partner is not among them, in order."""
    closing: list[int] = []
    opened: list[int] = []
    for index in range(first, last):
        if not alive[index]:
            continue
        if braces[index].opening:
            opened.append(index)
        elif opened:
            opened.pop()
        else:
            closing.append(index)
    return closing + opened


def _alike(text: str, braces: list[_Brace], one: list[int], other: list[int]) -> bool:
    """Whether two alternatives open and close the same blocks."""
    return [_shape(text, braces[index]) for index in one] == [_shape(text, braces[index]) for index in other]


def _shape(text: str, brace: _Brace) -> list[str]:
    return text[brace.header : brace.at].split() if brace.opening else ["}"]
