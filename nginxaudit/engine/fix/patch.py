"""The difference of two texts as a patch, in time that grows with them.

difflib compares every line with every line that is like it: a configuration of thousands of servers has thousands
of lines that are alike. Here it sees some lines at a time, until both texts go on alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import TypeAlias

_WINDOW = 16  # lines that are compared at first; twice as many while they do not meet
_WIDE = 64
_WIDEST = 1024
_MEETING = 3  # lines that are the same in both texts where they meet again
_CONTEXT = 3

Step: TypeAlias = tuple[str, int, int, int, int]
"""As `SequenceMatcher.get_opcodes` says it: what becomes of some lines."""


def unified_diff(before: str, after: str, path: str) -> Iterator[str]:
    """What turns ``before`` into ``after``, line by line, as ``patch -p0`` takes it for the file ``path``."""
    old, new = _lines(before), _lines(after)
    matcher: SequenceMatcher[str] = SequenceMatcher(None, "", "")
    matcher.opcodes = list(_joined(_steps(old, new)))  # type: ignore[attr-defined]
    begun = False
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        if not begun:
            begun = True
            yield f"--- {path}\n"
            yield f"+++ {path}\n"
        yield f"@@ -{_range(group[0][1], group[-1][2])} +{_range(group[0][3], group[-1][4])} @@\n"
        for kind, first, last, new_first, new_last in group:
            if kind == "equal":
                yield from _marked(" ", old[first:last])
            else:
                yield from _marked("-", old[first:last])
                yield from _marked("+", new[new_first:new_last])


def _lines(text: str) -> list[str]:
    """The lines of ``text`` with their ends, as patch counts them: a carriage return within one is a character."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n\\ No newline at end of file\n"


def _range(start: int, end: int) -> str:
    """Lines as the head of a hunk counts them."""
    length = end - start
    if length == 1:
        return f"{start + 1}"
    return f"{start + 1 if length else start},{length}"


def _steps(old: Sequence[str], new: Sequence[str]) -> Iterator[Step]:
    at = other = 0
    while at < len(old) or other < len(new):
        same = _same(old, new, at, other)
        if same:
            yield "equal", at, at + same, other, other + same
            at, other = at + same, other + same
            continue
        for kind, first, last, new_first, new_last in _until_they_meet(old, new, at, other):
            yield kind, first, last, new_first, new_last
            at, other = last, new_last


def _same(old: Sequence[str], new: Sequence[str], at: int, other: int) -> int:
    """How many lines are the same from here."""
    count = 0
    while at + count < len(old) and other + count < len(new) and old[at + count] == new[other + count]:
        count += 1
    return count


def _until_they_meet(old: Sequence[str], new: Sequence[str], at: int, other: int) -> list[Step]:
    """The steps up to where both texts go on alike, or end."""
    window = _WINDOW
    while True:
        ours, theirs = old[at : at + window], new[other : other + window]
        found = SequenceMatcher(None, ours, theirs, False).get_opcodes()
        end = _meeting(found, window)
        if at + window >= len(old) and other + window >= len(new):
            end = len(found) if end is None else end
        elif end is None and window >= _WIDEST:
            return [("replace", at, at + len(ours), other, other + len(theirs))]
        if end is not None:
            return [
                (kind, at + first, at + last, other + new_first, other + new_last)
                for kind, first, last, new_first, new_last in found[:end]
            ]
        window *= 2


def _meeting(found: Sequence[Step], window: int) -> int | None:
    """The first of the steps from which both texts go on alike.

    Where every second line is another one they never do for long: then it is the last that is alike in the first half
    of the window. What is near its end may look otherwise with the lines behind it.
    """
    for number, (kind, first, last, *_) in enumerate(found):
        if kind == "equal" and last - first >= _MEETING:
            return number
    if window < _WIDE:
        return None
    alike = (
        number
        for number, (kind, first, _, new_first, _) in enumerate(found)
        if kind == "equal" and max(first, new_first) < window // 2
    )
    return max(alike, default=None)


def _joined(steps: Iterator[Step]) -> Iterator[Step]:
    """``steps`` with neighbours of one kind as one."""
    last: Step | None = None
    for step in steps:
        if last is not None and last[0] == step[0]:
            last = (last[0], last[1], step[2], last[3], step[4])
            continue
        if last is not None:
            yield last
        last = step
    if last is not None:
        yield last
