"""The patch that ``--diff`` writes: what it makes of a text, and how long it takes."""

from __future__ import annotations

import difflib
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nginxaudit.engine.fix.patch import unified_diff
from tests.growth.work import counted

LINES = st.lists(st.sampled_from(["a", "b", "}", "", "server {", "x" * 9]), max_size=60)
ENDS = st.sampled_from(["", "\n"])


def patched(text: str, patch: str) -> str:
    """``text`` as ``patch`` makes it, which is held to be exact: every line is where it says."""
    old = text.splitlines(keepends=True)
    new: list[str] = []
    at = 0
    lines = patch.splitlines(keepends=True)[2:]
    for line, following in pairwise([*lines, ""]):
        kind, content = line[0], line[1:]
        if following.startswith("\\"):
            content = content.removesuffix("\n")
        if kind == "@":
            found = re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n", line)
            assert found is not None
            start = int(found[1]) - (found[2] != "0")
            new += old[at:start]
            at = start
            assert int(found[3]) - (found[4] != "0") == len(new)
        elif kind in " -":
            assert old[at] == content
            at += 1
        if kind in " +":
            new.append(content)
    return "".join(new + old[at:])


@given(LINES, LINES, ENDS, ENDS)
def test_what_it_makes(old: list[str], new: list[str], end: str, new_end: str) -> None:
    before, after = "\n".join(old) + end, "\n".join(new) + new_end
    assert patched(before, "".join(unified_diff(before, after, "x"))) == after


@given(
    LINES, st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["", "new\n", "new\nnew\n"])), max_size=8)
)
def test_local_changes_of_a_long_text(some: list[str], changes: list[tuple[int, str]]) -> None:
    lines = [f"{each}\n" for each in (some or ["a"]) * 20][:400]
    changed = list(lines)
    for at, text in changes:
        if at < len(changed):
            changed[at] = text
    before, after = "".join(lines), "".join(changed)
    assert patched(before, "".join(unified_diff(before, after, "x"))) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\nb\nc\n", "a\nB\nc\n"),
        ("a\n", "a\nb\n"),
        ("", "a\n"),
        ("a\n", ""),
        ("a\nb", "a\nb\n"),
        ("".join(f"{n}\n" for n in range(50)), "".join(f"{n}\n" for n in range(50) if n not in (7, 30, 31))),
    ],
)
def test_it_is_what_difflib_says(before: str, after: str) -> None:
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), "x", "x")
    theirs = "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    assert "".join(unified_diff(before, after, "x")) == theirs


EVERY_THIRD = ("server {\n    listen 80;\n}\n", "server {\n    listen 80 default_server;\n}\n")
BEHIND_EACH = ("a;\n", "a;\nb;\n")
ALL = ("a\n", "b\n")
TWO_OF_THREE = ("a\nb\nc\n", "x\nb\ny\n")


@pytest.mark.parametrize(("old", "new"), [EVERY_THIRD, BEHIND_EACH, ALL, TWO_OF_THREE])
def test_many_changes_near_each_other(old: str, new: str) -> None:
    """No more lines are said to change than do, and it takes time that grows with the text."""

    def patch(count: int) -> list[str]:
        return list(unified_diff(old * count, new * count, "x"))

    def work(count: int) -> int:
        return counted(lambda: patch(count))

    few, more, many = map(work, (50, 100, 200))
    assert many - more < 2.3 * (more - few)
    assert patched(old * 200, "".join(patch(200))) == new * 200
    changed = sum(line.startswith(("-", "+")) for line in patch(200)[2:])
    least = sum(line[0] in "-+" for line in difflib.ndiff(old.splitlines(True), new.splitlines(True)))
    assert changed <= 200 * least
