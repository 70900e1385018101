"""Bounds on time: of the processor, which other work on the machine does not lengthen."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

HANG = 600
"""Seconds after which a process is taken to hang, however busy the machine is."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """What happens here, with the processes that end here, takes less than so much processor time."""
    began = spent()
    yield
    taken = spent() - began
    assert taken < seconds, f"{taken:.1f} s of processor time"


def spent() -> float:
    """Processor time of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)
