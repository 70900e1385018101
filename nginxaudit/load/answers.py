"""Answers to questions that are asked again and again while a tree is walked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

Q = TypeVarTuple("Q")
A = TypeVar("A")


class Answers(dict[tuple[*Q], A]):
    """What ``ask`` says to each question: asked once, then looked up as fast as a dictionary can."""

    def __init__(self, ask: Callable[[*Q], A]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, question: tuple[*Q]) -> A:
        answer = self[question] = self._ask(*question)
        return answer
