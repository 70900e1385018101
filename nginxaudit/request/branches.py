"""What cannot be known: questions, their answers, and the walk through all of them.

A walk asks an `Oracle`. `explore` repeats the walk with every answer that was possible: it is deterministic, so a list of
answers says which branch it takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from msgspec import Struct

T = TypeVar("T")
R = TypeVar("R")

MOST = 64
"""Outcomes of one request that are followed."""


class Choice(Struct, frozen=True):
    """One question as it was answered: the answer's number, how many there were, its words, and the steps before it."""

    index: int
    count: int
    words: str
    steps: int


class Oracle:
    """Answers the questions of one walk: first as the script says, then with the first answer of each."""

    def __init__(self, script: Sequence[int] = ()) -> None:
        self._script = script
        self.answers: dict[Hashable, Any] = {}
        self.choices: list[Choice] = []

    def ask(self, key: Hashable, options: Sequence[tuple[T, str]], steps: int) -> tuple[T, str | None]:
        """An answer, and its words where the question is new. The same question has the same answer in one walk."""
        if key in self.answers:
            answer: T = self.answers[key]
            return answer, None
        at = len(self.choices)
        index = self._script[at] if at < len(self._script) else 0
        answer, words = options[index]
        self.answers[key] = answer
        self.choices.append(Choice(index, len(options), words, steps))
        return answer, words

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What this walk rests on, in words."""
        return tuple([choice.words for choice in self.choices])


def explore(
    walk: Callable[[Oracle], R], most: int = MOST
) -> tuple[list[tuple[R, Oracle, tuple[int, ...]]], bool]:
    """Every way that a walk can take, with the script that led there; whether there are more than ``most``.

    Ways that part early are taken first, so that what is left out are details; they are given as a tree is read.
    """
    pending: deque[tuple[int, ...]] = deque([()])
    found = list(islice(_ways(walk, pending), most))
    found.sort(key=lambda each: each[0])
    return [each[1:] for each in found], bool(pending)


def results(walk: Callable[[Oracle], R], most: int = MOST) -> Iterator[R]:
    """What a walk ends with, way by way: who has found what he looks for need not take the others."""
    return (result for _, result, _, _ in islice(_ways(walk, deque([()])), most))


def _ways(
    walk: Callable[[Oracle], R], pending: deque[tuple[int, ...]]
) -> Iterator[tuple[tuple[int, ...], R, Oracle, tuple[int, ...]]]:
    """Answers taken, result, oracle and script of each way; ``pending`` has the scripts that are left."""
    while pending:
        script = pending.popleft()
        oracle = Oracle(script)
        result = walk(oracle)
        taken = tuple([choice.index for choice in oracle.choices])
        for at in range(len(script), len(taken)):
            pending += [(*taken[:at], index) for index in range(1, oracle.choices[at].count)]
        yield taken, result, oracle, script
