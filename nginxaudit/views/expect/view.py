"""What a run of routing tests found."""

from __future__ import annotations

from msgspec import Struct


class Result(Struct, frozen=True):
    """One test: where it is written, what it asks, what is otherwise than expected, and what happens in that case."""

    file: str
    line: int
    title: str
    failures: tuple[str, ...]
    happens: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The failures, and what happens."""
        return (*self.failures, *([f"what happens: {self.happens}"] if self.happens else []))


class Results(Struct, frozen=True):
    """All tests in order, and what of the configuration they reached: counts, and what was missed as ``FILE:LINE text``."""

    tests: tuple[Result, ...]
    servers: tuple[int, int]  # reached, all
    locations: tuple[int, int]
    missed: tuple[str, ...]
    show_missed: bool = False

    @property
    def failed(self) -> int:
        """How many tests failed."""
        return sum(bool(test.failures) for test in self.tests)

    @property
    def summary(self) -> str:
        """Counts in one line."""
        passed = len(self.tests) - self.failed
        reached = f"{self.locations[0]} of {self.locations[1]} locations, {self.servers[0]} of {self.servers[1]} servers reached"
        return f"{passed} passed, {self.failed} failed; {reached}"
