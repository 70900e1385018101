"""How one attempt ends, and when: what the server does meets the timeouts in effect.

http: src/http/ngx_http_upstream.c; stream: src/stream/ngx_stream_proxy_module.c. A response is one moment: header and
body come together. Connecting to a server that is there takes no time.
"""

from __future__ import annotations

from nginxaudit.drill.behaviour import BLACKHOLE, CUT, DROP_REUSED, HANG, REFUSE, RESET, STATUS, Backend
from nginxaudit.drill.peers import Request
from nginxaudit.drill.spec import Use
from nginxaudit.model.retries import CONNECT_LIMIT_MS

DONE, ERROR, TIMEOUT, ANSWERED, BROKEN, ABORTED, LATE_ERROR = range(7)
"""Outcomes. ANSWERED: a header with an error status; BROKEN: a good header and half a body; ABORTED: the client
gave up; LATE_ERROR: an error that counts as a failure but is not tried again (UDP)."""

_OUTCOMES = {STATUS: ANSWERED, RESET: ERROR, CUT: BROKEN}


def plan_http(request: Request, backend: Backend, t: int, use: Use, *, large: bool) -> int:
    """Set the outcome of an attempt that begins at ``t`` and return when it ends, in ms."""
    kind, cached = backend.kind, request.cached
    request.sent = False
    request.died = False
    if kind == REFUSE:
        request.outcome = ERROR
        return t
    if not cached and (kind == BLACKHOLE or (kind == HANG and use.tls)):
        return _connecting(request, kind, t, use)
    request.sent = True
    wait = use.send if large and request.once else use.read
    if kind in (HANG, BLACKHOLE):
        request.outcome, end = TIMEOUT, t + wait
    elif kind == DROP_REUSED and cached:
        request.outcome = ERROR
        return t
    elif backend.ms > use.read:
        request.outcome, end = TIMEOUT, t + use.read
    else:
        request.outcome, end = _OUTCOMES.get(kind, DONE), t + backend.ms
        request.status = backend.status if kind == STATUS else 200
    return _overtaken(request, backend, t, end, wait) if end > backend.until else end


def _connecting(request: Request, kind: int, t: int, use: Use) -> int:
    """A connection that is not made, or a handshake of TLS, which has the same timeout; but the kernel gives up only the first."""
    if kind == BLACKHOLE and use.connect > CONNECT_LIMIT_MS:
        request.outcome = ERROR
        return t + CONNECT_LIMIT_MS
    request.outcome = TIMEOUT
    return t + use.connect


def _overtaken(request: Request, backend: Backend, t: int, end: int, wait: int) -> int:
    """The attempt as the next phases of its server leave it.

    A process that dies resets its connections; one that stops working, or the network that loses packets, leaves
    the request without an answer.
    """
    for start, kind, graceful in backend.later(end):
        if kind == REFUSE and not graceful:
            request.outcome, request.died = ERROR, True
            return start
        if kind in (HANG, BLACKHOLE) and request.outcome != TIMEOUT:
            request.died = kind == BLACKHOLE  # a hanging process is the same for those that come later
            request.outcome, end = TIMEOUT, t + wait
    return end


def plan_stream(request: Request, backend: Backend, t: int, use: Use, *, large: bool) -> int:
    """The same for a TCP session. ``proxy_timeout`` ends a session in which nothing moves.

    Only connecting can fail. An answer that is an error is bytes like others.
    """
    if use.udp:
        return _plan_udp(request, backend, t, use)
    kind = backend.kind
    request.sent = False
    request.died = False
    if kind == REFUSE:
        request.outcome = ERROR
        return t
    if kind == BLACKHOLE or (kind == HANG and use.tls):
        return _connecting(request, kind, t, use)
    request.sent = True
    request.status = 200
    if kind in (HANG, BLACKHOLE) or backend.ms > use.idle:
        request.outcome, end = BROKEN, t + use.idle
    else:
        request.outcome, end = BROKEN if kind in (RESET, CUT) else DONE, t + backend.ms
    return _cut_session(request, backend, t, end, use) if end > backend.until else end


def _plan_udp(request: Request, backend: Backend, t: int, use: Use) -> int:
    """A UDP session: it ends with the responses that ``proxy_responses`` wants, or after ``proxy_timeout``.

    A missing response is a failure only where a number is set (``ngx_stream_proxy_process_connection``). An ICMP error
    is one, too, and counts when the session ends; as it is taken for a response, that is at once where one is wanted.
    """
    request.sent = True
    request.died = False
    request.status = 200
    if use.responses == 0:
        request.outcome = DONE  # what becomes of the datagram is not looked at
        return t
    answers = backend.kind not in (REFUSE, HANG, BLACKHOLE) and backend.ms <= use.idle
    if answers and t + backend.ms <= backend.until:
        request.outcome = DONE
        return t + backend.ms
    gone = any(kind == REFUSE and not graceful for _, kind, graceful in backend.later(t + use.idle))
    late = (
        not answers or gone or any(kind in (HANG, BLACKHOLE) for _, kind, _ in backend.later(t + backend.ms))
    )
    if not late:
        request.outcome = DONE
        return t + backend.ms
    request.died = request.once = answers
    if backend.kind == REFUSE and use.responses == 1:
        request.outcome = LATE_ERROR
        return t
    request.status = 502 if use.responses > 0 else 200
    failed = use.responses > 0 or (not answers and backend.kind == REFUSE)
    request.outcome = LATE_ERROR if failed else BROKEN
    return t + use.idle


def _cut_session(request: Request, backend: Backend, t: int, end: int, use: Use) -> int:
    for start, kind, graceful in backend.later(end):
        if kind == REFUSE and not graceful:
            request.died = request.once = True  # a session cannot be moved
            request.outcome = BROKEN
            return start
        if kind in (HANG, BLACKHOLE) and request.outcome != BROKEN:
            request.died = request.once = kind == BLACKHOLE
            request.outcome, end = BROKEN, t + use.idle
    return end
