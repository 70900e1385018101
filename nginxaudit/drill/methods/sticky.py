"""``sticky``: a client goes to the server of its session while that can be picked, else the method chooses.

``ngx_http_upstream_sticky_get_peer`` in src/http/modules/ngx_http_upstream_sticky_module.c, ``ngx_http_upstream_get_rr_peer_by_sid`` and
``ngx_http_upstream_get_peer`` in src/http/ngx_http_upstream_round_robin.c (since 1.29.6; NGINX Plus before by
https://nginx.org/en/docs/http/ngx_http_upstream_module.html#sticky).
"""

from __future__ import annotations

from collections.abc import Callable

from nginxaudit.drill.peers import Request, SimulatedPeer, eligible, take, to_backups
from nginxaudit.drill.spec import Sticky

Pick = Callable[[Request, int], SimulatedPeer | None]


class Sessions:
    """Which server every client is bound to: in its cookie or its route, or as nginx has learned it.

    ``moved`` counts the sessions that came to another server than theirs.
    """

    def __init__(self, sticky: Sticky) -> None:
        self._lasts = sticky.lasts
        self._bound: dict[bytes, tuple[str, int]] = {}
        self.moved = 0

    def server_of(self, request: Request, t: int) -> str | None:
        """The server (its name) of the client of a request that comes at ``t`` ms."""
        known = self._bound.get(request.address + request.key)
        if known is None or (self._lasts and t - known[1] > self._lasts):
            return None
        return known[0]

    def bind(self, request: Request, peer: SimulatedPeer, t: int) -> None:
        """The client has got an answer that binds it to ``peer``."""
        client, name = request.address + request.key, peer.server.name
        before = self._bound.get(client)
        if before is not None and before[0] != name and not (self._lasts and t - before[1] > self._lasts):
            self.moved += 1
        self._bound[client] = name, t


def with_sessions(pick: Pick, sessions: Sessions, method: str, *, asks: bool) -> Pick:
    """``pick`` for requests that may belong to a session. ``asks``: a session does not go to a server that active checks took out."""

    def chosen(request: Request, now: int) -> SimulatedPeer | None:
        peers = request.peers
        if peers.single:
            return pick(request, now)
        name = sessions.server_of(request, request.arrival)
        if name is None:
            return pick(request, now)
        bound = _bound(request, name, now, asks=asks)
        if bound is None and peers.backups:
            if not any(eligible(each, request.tried, now) for each in peers.usable):
                to_backups(request)
            bound = _bound(request, name, now, asks=asks)
        if bound is None:
            return pick(request, now)
        if method == "round_robin":
            _account(request, bound, now)
        return take(request, bound, now)

    return chosen


def _bound(request: Request, name: str, now: int, *, asks: bool) -> SimulatedPeer | None:
    """The first peer with this address, if it can be picked."""
    for peer in request.peers.all:
        if peer.server.name == name:
            free = not (asks and peer.down) and _free(peer, request.tried, now)
            return peer if free else None
    return None


def _free(peer: SimulatedPeer, tried: int, now: int) -> bool:
    """`eligible` without a look at active checks."""
    failed = peer.fails >= peer.limit and now - peer.checked <= peer.fail_timeout
    return not (tried & peer.bit or peer.server.down or failed or peer.conns >= peer.room)


def _account(request: Request, bound: SimulatedPeer, now: int) -> None:
    """Let the pick count in round robin, unless the server is far ahead of its share."""
    peers = request.peers
    if bound.current <= bound.weight - peers.total_weight:
        return
    total = 0
    for peer in peers.usable:
        if eligible(peer, request.tried, now):
            peer.current += peer.effective
            total += peer.effective
            if peer.effective < peer.weight:
                peer.effective = min(peer.weight, peer.effective + peer.step)
    bound.current -= total
