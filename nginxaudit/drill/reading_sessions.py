"""Reads sessions, queues and slow starts of a group; https://nginx.org/en/docs/http/ngx_http_upstream_module.html."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nginxaudit.drill.ramp import WITHOUT
from nginxaudit.drill.spec import Queue, Sticky
from nginxaudit.nginx import parse_number, parse_time_ms, parse_time_s

if TYPE_CHECKING:
    from nginxaudit.model.upstream import Upstream
    from nginxaudit.syntax.tree import Directive

_LEARNED = 600_000  # ms that a learned session is kept by default


def sticky_of(upstream: Upstream) -> tuple[Sticky | None, tuple[str, ...]]:
    """The session affinity of a group, and what has to be said of it."""
    node = upstream.sticky
    if node is None or upstream.family != "http":
        return None, ()
    kind = str(node.args[0]) if node.args else ""
    if kind not in ("cookie", "route", "learn"):
        return None, (
            "its sticky is that of a third-party module and left out: every request is a new session",
        )
    notes = [
        f"sticky {kind}: clients keep their sessions while the simulation lasts, so a server that comes back gets few requests; "
        "in use, new sessions fill it up again"
    ]
    if upstream.directive.first("check") is not None:
        notes.append(
            "sticky does not ask the module of check: a session stays at a server that was found down, until requests fail"
        )
    try:
        return Sticky(kind, _lasts(node, kind)), tuple(notes)
    except ValueError:
        return Sticky(kind), tuple(notes)


def _lasts(node: Directive, kind: str) -> int:
    """Ms after which a session that is not used is over."""
    values = _values(node)
    if kind == "learn":
        return parse_time_ms(values.get("timeout", f"{_LEARNED}ms"))
    expires = values.get("expires", "max") if kind == "cookie" else "max"
    return 0 if expires == "max" else parse_time_s(expires) * 1000


def queue_of(upstream: Upstream) -> tuple[Queue | None, tuple[str, ...]]:
    """The queue of a group, and what has to be said of it."""
    node = upstream.directive.first("queue")
    if node is None or not node.args or upstream.family != "http":
        return None, ()
    try:
        queue = Queue(parse_number(str(node.args[0])), parse_time_ms(_values(node).get("timeout", "60s")))
    except ValueError:
        return None, ("the size or the timeout of its queue cannot be known: it is left out",)
    return queue, ("queue is simulated as NGINX Plus documents it; it was not compared with a running one",)


def slow_starts_of(upstream: Upstream, method: str) -> tuple[int, ...]:
    """Ms of ``slow_start`` per server; 0 where it has no effect."""
    if method in WITHOUT or upstream.is_single_peer:
        return (0,) * len(upstream.peers)
    return tuple(peer.slow_start for peer in upstream.peers)


def _values(node: Directive) -> dict[str, str]:
    return {name: value for name, _, value in (str(word).partition("=") for word in node.args)}
