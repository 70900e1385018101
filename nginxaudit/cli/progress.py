"""How far a long run is: one line on standard error, on a terminal only, gone when the run ends."""

from __future__ import annotations

import sys
import time

_AFTER = 1.0  # seconds without a word: most runs are over by then
_EVERY = 0.1
_BAR = 20  # cells


class Progress:
    """Called with how many of how many things are done, and which one is next. ``doing`` is what is done with them."""

    def __init__(self, doing: str = "analysing") -> None:
        self._doing = doing
        self._begun = self._last = time.monotonic()
        self._on = sys.stderr is not None and sys.stderr.isatty()
        self._shown = False

    def __call__(self, done: int, total: int, name: str) -> None:
        """Show it, unless nobody looks or it is too early."""
        now = time.monotonic()
        if self._on and now - self._begun > _AFTER and now - self._last > _EVERY:
            from nginxaudit.report.sanitize import visible

            self._last, self._shown = now, True
            bar = "#" * (done * _BAR // max(1, total))
            step = f"[{bar:<{_BAR}}] {self._doing} {done + 1} of {total}: {visible(name)}"
            sys.stderr.write(f"\r\x1b[K{step[: _columns() - 1]}")
            sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False


def _columns() -> int:
    import shutil  # three compressors come with it

    return shutil.get_terminal_size().columns
