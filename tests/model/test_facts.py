"""Facts are computed once, within what measures the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from nginxaudit.model.facts import Fact


class Thing:
    def __init__(self) -> None:
        self.begun = 0
        self.inside = 0

    def timing(self) -> AbstractContextManager[object]:
        @contextmanager
        def measured() -> Iterator[None]:
            self.begun += 1
            self.inside += 1
            yield
            self.inside -= 1

        return measured()

    @Fact
    def outer(self) -> int:
        return self.inside * 10 + self.inner

    @Fact
    def inner(self) -> int:
        return self.inside


def test_a_fact_is_computed_once_within_its_timing() -> None:
    thing = Thing()
    assert thing.outer == 12
    assert (thing.begun, thing.inside) == (2, 0)
    assert (thing.outer, thing.inner) == (12, 2)
    assert thing.begun == 2


def test_a_fact_of_the_class_is_itself() -> None:
    assert isinstance(Thing.outer, Fact)
