"""``least_conn`` (``ngx_http_upstream_get_least_conn_peer``) and ``least_time``.

Both compare a load per weight; those that tie compete by round robin, which alone touches their weights.
"""

from __future__ import annotations

from collections.abc import Callable

from nginxaudit.drill.methods.round_robin import pick as round_robin
from nginxaudit.drill.peers import Request, SimulatedPeer, eligible, take, to_backups

_SHARE_NEW = 5  # percent of a new measurement in the average
_CEILING_MS = 5000
_STEP_MS = 20


def pick_connections(request: Request, now: int) -> SimulatedPeer | None:
    """The peer with the fewest connections per weight."""
    return _pick(request, now, _connections)


def pick_time(request: Request, now: int) -> SimulatedPeer | None:
    """The peer that is expected to answer first, per weight."""
    return _pick(request, now, _expected)


def measured(peer: SimulatedPeer, elapsed: int) -> None:
    """Add the time in ms of a successful attempt to the average of ``least_time``."""
    peer.average = (peer.average * (100 - _SHARE_NEW) + elapsed * _SHARE_NEW + 50) // 100


def _connections(peer: SimulatedPeer, now: int) -> int:
    return peer.conns


def _expected(peer: SimulatedPeer, now: int) -> int:
    """Average time (aging, and in steps) for every request that it would then have."""
    average, idle = peer.average, now - peer.checked
    if idle > peer.fail_timeout:
        average >>= min(idle // (peer.fail_timeout + 1), 63)
    average = _CEILING_MS if average > _CEILING_MS else (average // _STEP_MS + 1) * _STEP_MS
    return average * (1 + peer.conns)


def _pick(request: Request, now: int, load_of: Callable[[SimulatedPeer, int], int]) -> SimulatedPeer | None:
    if request.peers.single:
        return round_robin(request, now)
    tried = request.tried
    best: SimulatedPeer | None = None
    least = 0
    tied: list[SimulatedPeer] = []
    for peer in request.peers.usable:
        if not eligible(peer, tried, now):
            continue
        load = load_of(peer, now)
        if best is None or load * best.weight < least * peer.weight:
            best, least, tied = peer, load, [peer]
        elif load * best.weight == least * peer.weight:
            tied.append(peer)
    if best is None:
        return _pick(request, now, load_of) if to_backups(request) else None
    if len(tied) > 1:
        best = _turn(tied)
    return take(request, best, now)


def _turn(tied: list[SimulatedPeer]) -> SimulatedPeer:
    """Round robin over those that tie."""
    total, best = 0, tied[0]
    for peer in tied:
        peer.current += peer.effective
        total += peer.effective
        if peer.effective < peer.weight:
            peer.effective = min(peer.weight, peer.effective + peer.step)
        if peer.current > best.current:
            best = peer
    best.current -= total
    return best
