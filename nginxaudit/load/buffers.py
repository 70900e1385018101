"""Buffers of proxies: the numbers whose arithmetic nginx insists on."""

from __future__ import annotations

from msgspec import Struct


class Buffers(Struct, frozen=True):
    """The buffers of a protocol in effect in a block; sizes in bytes."""

    protocol: str
    number: int
    size: int
    first: int  # of the one for the header

    @property
    def largest(self) -> int:
        """Size of the largest one."""
        return max(self.first, self.size)

    @property
    def room(self) -> int:
        """What may be busy: all but one."""
        return (self.number - 1) * self.size
