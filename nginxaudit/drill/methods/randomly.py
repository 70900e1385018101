"""``random`` and ``random two`` (``src/http/modules/ngx_http_upstream_random_module.c``)."""

from __future__ import annotations

from bisect import bisect_right
from random import Random

from nginxaudit.drill.methods.hashing import MAX_MISSES
from nginxaudit.drill.methods.round_robin import pick as round_robin
from nginxaudit.drill.peers import Peers, Request, SimulatedPeer, eligible, take


class Draw:
    """Draws from the primaries by their weights; what is drawn in vain counts as a miss."""

    def __init__(self, peers: Peers, random: Random) -> None:
        self._drawn_from = peers
        self._peers = peers.all
        self._starts = []
        total = 0
        for peer in peers.all:
            self._starts.append(total)
            total += peer.weight
        self._total = total
        self._random = random

    def _drawn(self) -> SimulatedPeer:
        return self._peers[bisect_right(self._starts, int(self._random.random() * self._total)) - 1]

    def _draws(self, request: Request) -> bool:
        """Whether to draw once more; backups are reached by round robin alone."""
        peers = request.peers
        return request.misses <= MAX_MISSES and peers.number > 1 and peers is self._drawn_from

    def pick(self, request: Request, now: int) -> SimulatedPeer | None:
        """One draw; again while it is not eligible."""
        while self._draws(request):
            peer = self._drawn()
            if eligible(peer, request.tried, now):
                return take(request, peer, now)
            request.misses += 1
        return round_robin(request, now)

    def pick_two(self, request: Request, now: int) -> SimulatedPeer | None:
        """Of two different ones that are drawn the one with fewer connections per weight, else the second."""
        first: SimulatedPeer | None = None
        while self._draws(request):
            peer = self._drawn()
            if peer is not first and eligible(peer, request.tried, now):
                if first is not None:
                    fewer = peer.conns * first.weight > first.conns * peer.weight
                    return take(request, first if fewer else peer, now)
                first = peer
            request.misses += 1  # the first one found counts, too
        return round_robin(request, now)
