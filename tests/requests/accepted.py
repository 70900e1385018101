"""Which of many generated cases an nginx loads."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from tests.support import nginx

_AT_LINE = re.compile(r"\[emerg\].* in \S+:(\d+)")


class _Written(Protocol):
    text: str


C = TypeVar("C", bound=_Written)


def accepted(
    directory: Path, cases: Sequence[C], whole: Callable[[list[C]], str]
) -> tuple[list[C], list[str]]:
    """The cases that this nginx loads, and why it refused the others. ``whole`` is the configuration of some."""
    kept, refused = list(cases), []
    (directory / "logs").mkdir(exist_ok=True)
    while True:
        text = nginx.load_modules() + whole(kept)
        answer = nginx.check(directory, text)
        if answer.accepted:
            return kept, refused
        at = _AT_LINE.search(answer.output)
        if at is None or not kept:
            raise AssertionError(answer.output[-2000:])
        bad = _case_at(text, int(at[1]), kept)
        refused.append(answer.output.strip().splitlines()[0][-200:])
        kept = [case for case in kept if case is not bad]


def _case_at(text: str, line: int, cases: list[C]) -> C:
    offset = sum(len(each) + 1 for each in text.split("\n")[: line - 1])
    found = next((case for case in reversed(cases) if text.index(case.text) <= offset), None)
    assert found is not None, text.split("\n")[line - 1]
    return found
