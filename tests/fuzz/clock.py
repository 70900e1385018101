"""How long something may take: a bound that grows with the input and knows how fast the machine is."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType

BASE = 0.05  # seconds
PER_KB = 0.02
HANG = 20.0  # so many times the bound, and it is stopped
_USUAL = 0.012  # seconds that `_work` takes on the machine where the bounds were chosen
_TRIES = 3


class _HangError(BaseException):
    """Not an `Exception`: a rule that raises one is isolated, and this must come through."""


def timed(run: Callable[[], None], size: int, weight: float = 1.0) -> None:
    """Call ``run``, which reads ``size`` bytes. Raises `AssertionError` if it takes too long every time.

    What counts is the processor time of the fastest of three calls: other processes, the first import of a module and
    the garbage collector say nothing about the input.
    """
    bound = weight * slowness() * (BASE + PER_KB * size / 1024)
    taken = 0.0
    for number in range(_TRIES):
        if number:
            forget()
        began = time.process_time()
        with _stopped_after(HANG * bound):
            run()
        taken = time.process_time() - began
        if taken <= bound:
            return
    raise AssertionError(f"{size} bytes took more than {bound:.2f} s of processor time")


def forget() -> None:
    """Empty what is remembered about expressions: it would hide how long they take."""
    from nginxaudit.pcre import backtracking, expression

    for function in (expression.parse, backtracking.danger):
        function.cache_clear()


@cache
def slowness() -> float:
    """How many times slower than usual this machine is, at least 1."""
    best = min(_work() for _ in range(5))
    return max(1.0, best / _USUAL)


def _work() -> float:
    began = time.process_time()
    words: dict[str, int] = {}
    for number in range(40_000):
        word = f"{number % 977:x}"
        words[word] = words.get(word, 0) + 1
    return time.process_time() - began


@contextmanager
def _stopped_after(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        where = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame else "?"
        raise _HangError(where)

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except _HangError as error:
        raise AssertionError(f"it hangs: stopped after {seconds:.0f} s at {error}") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
