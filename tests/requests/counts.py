"""What came out of many requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from nginxaudit.request.records import Ask


class Written(Protocol):
    """A generated configuration."""

    number: int
    text: str


@dataclass
class Disagreement:
    """A request about which nginx and the walk differ."""

    case: Written
    ask: Ask
    what: str


@dataclass
class Count:
    """Numbers of requests, and the disagreements."""

    requests: int = 0
    refused: list[str] = field(default_factory=list)
    unknown: int = 0
    branched: int = 0
    outside: int = 0
    cut: int = 0  # what nginx does is none of the outcomes, but the walk says that there are more
    disagreements: list[Disagreement] = field(default_factory=list)

    def add(self, other: Count) -> None:
        """Take in the numbers of more requests."""
        self.requests += other.requests
        self.refused += other.refused
        self.unknown += other.unknown
        self.branched += other.branched
        self.outside += other.outside
        self.cut += other.cut
        self.disagreements += other.disagreements

    def judged(
        self, case: Written, ask: Ask, differences: Iterable[str | None], *, unknown: bool, more: bool
    ) -> None:
        """Enter one request: how nginx differs from each of the outcomes."""
        self.requests += 1
        if unknown:
            self.unknown += 1
            return
        found = list(differences)
        self.branched += len(found) > 1
        if not all(found):
            return
        if more:
            self.cut += 1
            return
        self.outside += len(found) > 1
        self.disagreements.append(Disagreement(case, ask, str(found[0])))
