"""Where the time of a run goes: phases that contain each other, and rules.

A phase counts only what is spent in none of the phases inside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])


class Clock:
    """A clock that nobody reads: everything passes through unmeasured."""

    def phase(self, name: str) -> AbstractContextManager[object]:
        """What happens within is ``name``."""
        return nullcontext()

    def rule(self, slug: str) -> AbstractContextManager[object]:
        """What happens within is for the rule ``slug``."""
        return nullcontext()

    def timed(self, name: str, function: _F) -> _F:
        """``function``, each call of which is a phase ``name``."""
        return function


NO_CLOCK = Clock()


class Stopwatch(Clock):
    """Measures wall time in seconds: ``phases`` by name in order of their first use, ``rules`` by slug."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self.rules: dict[str, float] = {}
        self._inner = [0.0]  # seconds spent in the phases inside of each that is open

    @contextmanager
    def _measured(self, totals: dict[str, float], name: str) -> Iterator[None]:
        totals.setdefault(name, 0.0)
        self._inner.append(0.0)
        begun = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begun
            totals[name] += spent - self._inner.pop()
            self._inner[-1] += spent

    def phase(self, name: str) -> AbstractContextManager[object]:
        """What happens within is ``name``."""
        return self._measured(self.phases, name)

    def rule(self, slug: str) -> AbstractContextManager[object]:
        """What happens within is for the rule ``slug``."""
        return self._measured(self.rules, slug)

    def timed(self, name: str, function: _F) -> _F:
        """``function``, each call of which is a phase ``name``."""

        def call(*args: Any, **options: Any) -> Any:
            with self.phase(name):
                return function(*args, **options)

        return call  # type: ignore[return-value]
