"""Work as a number that is the same on every machine: how many functions are called, and how many lines are run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

Trace = Callable[[FrameType, str, Any], Any]


def counted(run: Callable[[], object]) -> int:
    """Lines of Python that ``run`` runs, each turn of a loop counted, and functions that it calls, those of C among them."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Trace:
        nonlocal count
        count += 1
        return trace

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "c_call"

    before, profiled = sys.gettrace(), sys.getprofile()
    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.settrace(before)
        sys.setprofile(profiled)
    return count
