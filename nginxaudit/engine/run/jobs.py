"""How many processes shall run the rules."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence

from nginxaudit.model import Model

PAYS = 4_000
"""Directives of a run from which a second process saves more time than it costs."""
_MOST = 8  # what processes share is computed by each of them


def processes(jobs: int | None, models: Sequence[Model]) -> int:
    """How many processes shall run the rules; None: as many as pay."""
    if not _can_fork():
        return 1
    if jobs is not None:
        return jobs
    if sum(model.config.count for model in models) < PAYS:
        return 1
    return min(_processors(), _MOST)


def _can_fork() -> bool:
    """A fork has only the thread that made it: others may hold locks that nobody would ever release."""
    return hasattr(os, "fork") and sys.platform != "darwin" and threading.active_count() == 1


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
