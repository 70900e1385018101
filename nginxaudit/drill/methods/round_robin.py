"""Smooth weighted round robin (``ngx_http_upstream_get_round_robin_peer`` and ``…_get_peer``)."""

from __future__ import annotations

from nginxaudit.drill.peers import Request, SimulatedPeer, to_backups


def pick(request: Request, now: int) -> SimulatedPeer | None:
    """The next peer of the list in use; from the backups when no primary is eligible."""
    peers = request.peers
    if peers.single:
        for peer in peers.usable:
            if peer.conns < peer.room:
                peer.conns += 1
                return peer
        return None
    tried = request.tried
    best: SimulatedPeer | None = None
    total = highest = 0
    for peer in peers.usable:
        if (
            tried & peer.bit
            or (peer.fails >= peer.limit and now - peer.checked <= peer.fail_timeout)
            or peer.conns >= peer.room
        ):
            continue
        effective = peer.effective
        total += effective
        current = peer.current = peer.current + effective
        if effective < peer.weight:
            peer.effective = min(peer.weight, effective + peer.step)
        if best is None or current > highest:
            best, highest = peer, current
    if best is None:
        return pick(request, now) if to_backups(request) else None
    best.current -= total
    if now - best.checked > best.fail_timeout:
        best.checked = now
    request.tried = tried | best.bit
    best.conns += 1
    return best
