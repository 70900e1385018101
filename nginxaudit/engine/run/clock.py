"""Where the time of a run goes: phases that contain each other, and rules.

A phase counts only what is spent in none of the phases inside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
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

    def watch(self, kind: type, name: str) -> AbstractContextManager[object]:
        """Within, what cached properties of ``kind`` compute is a phase ``name``."""
        return nullcontext()


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

    @contextmanager
    def watch(self, kind: type, name: str) -> Iterator[None]:
        """Within, what cached properties of ``kind`` compute is a phase ``name``."""
        watched = [each for each in vars(kind).values() if isinstance(each, cached_property)]
        originals = [each.func for each in watched]
        for each in watched:
            each.func = self.timed(name, each.func)
        try:
            yield
        finally:
            for each, original in zip(watched, originals, strict=True):
                each.func = original
