"""Servers that treat every request alike, and how: what nginx then sees changes nothing for the requests that follow."""

from __future__ import annotations

from nginxaudit.drill.attempts import ABORTED, ANSWERED, DONE
from nginxaudit.drill.behaviour import BLACKHOLE, HANG, OK, STATUS, Backend
from nginxaudit.drill.peers import Request
from nginxaudit.drill.spec import Use
from nginxaudit.model.retries import CONNECT_LIMIT_MS

GAVE_UP = 499

Fate = tuple[int, int]
"""The status that the client gets (`GAVE_UP`: it left), and after how many ms."""


def fate_of(backend: Backend, use: Use, family: str, patience: int, *, large: bool) -> Fate | None:
    """What becomes of every request that goes to ``backend`` now; None where it may be tried again or count as a failure.

    Of a server that answers only while its phase lasts (see `lasts`).
    """
    limit = use.read if family == "http" else use.idle
    if backend.kind == OK:
        return (200, backend.ms) if backend.ms <= min(limit, patience) else None
    if family != "http":
        return None
    if backend.kind == STATUS:
        passed_on = backend.ms <= min(limit, patience) and not listed(use, backend.status)
        return (backend.status, backend.ms) if passed_on and backend.status != GAVE_UP else None
    if backend.kind in (HANG, BLACKHOLE) and not backend.fails_later:
        return (GAVE_UP, patience) if clients_leave_first(backend.kind, use, patience, large=large) else None
    return None


def lasts(backend: Backend, fate: Fate) -> int:
    """The ms until which requests that come meet ``fate``."""
    return backend.until - (0 if fate[0] == GAVE_UP else fate[1])


def listed(use: Use, status: int) -> bool:
    """Whether an answer with ``status`` may be tried elsewhere."""
    return f"http_{status}" in use.conditions and "off" not in use.conditions


def clients_leave_first(kind: int, use: Use, patience: int, *, large: bool) -> bool:
    """Whether nginx gives up a server that does not answer later than its clients do, and notices that they have left."""
    connecting = min(use.connect, CONNECT_LIMIT_MS) if kind == BLACKHOLE else use.connect
    waits = [
        use.read,
        *([use.send] if large else []),
        *([connecting] if kind == BLACKHOLE or use.tls else []),
    ]
    return patience < min(waits) and not use.ignores_abort


def may_fail(use: Use, request: Request) -> bool:
    """Whether the attempt that ``request`` makes may count as a failure, or be followed by another one."""
    if request.outcome == ANSWERED:
        return listed(use, request.status)
    return request.outcome not in (DONE, ABORTED)
