"""Facts of a model: computed when first asked for, within what measures the time that takes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, Self, TypeVar, overload

T = TypeVar("T")
Timing = Callable[[], AbstractContextManager[object]]
"""Makes what a computation happens within."""


class Fact(cached_property[T]):
    """A `cached_property` of something that has a `Timing` as ``timing``."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Self | T:
        """The fact; asked for once, afterwards the instance has it."""
        if instance is None:
            return self
        with instance.timing():
            fact: T = super().__get__(instance, owner)
        return fact
