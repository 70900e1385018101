"""``nginxaudit scan --watch``: scan again whenever a file that was read changes, until Ctrl-C."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable

_PAUSE = 0.5  # seconds between two looks: a save is seen at once, and looking costs next to nothing


def watch(scan: Callable[[], Iterable[str]], paths: Iterable[str]) -> None:
    """Run ``scan``, which returns the files it read, and again after each change of them or in ``paths``."""
    try:
        while True:
            _clear()
            seen = _times([*scan(), *paths])
            sys.stdout.write("\nWaiting for changes. Ctrl-C ends.\n")
            sys.stdout.flush()
            while _times(seen) == seen:
                time.sleep(_PAUSE)
    except KeyboardInterrupt:
        sys.stdout.write("\n")


def _clear() -> None:
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[2J\x1b[3J\x1b[H")


def _times(paths: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Modification time in nanoseconds and inode of each path; zero where it is gone. Directories: of all in them."""
    found = {}
    for path in paths:
        try:
            status = os.stat(path)
            found[path] = status.st_mtime_ns, status.st_ino
        except OSError:
            found[path] = 0, 0
    return found
