"""``ip_hash``, ``hash`` and ``hash … consistent``.

``ngx_http_upstream_ip_hash_module.c``, ``ngx_http_upstream_hash_module.c``. After more than 20 misses in the life
of a request all of them go on by round robin, which may reach backups.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from zlib import crc32

from nginxaudit.drill.methods.round_robin import pick as round_robin
from nginxaudit.drill.peers import Peers, Request, SimulatedPeer, eligible, take

MAX_MISSES = 20
_POINTS = 160  # of the ring, per weight
_SEED = 89


def walked(peers: Peers, slot: int) -> SimulatedPeer:
    """The peer whose weights cover ``slot``; peers that are down keep their slots."""
    for peer in peers.all:
        if slot < peer.weight:
            return peer
        slot -= peer.weight
    raise AssertionError("a slot beyond the total weight")


def pick_address(request: Request, now: int) -> SimulatedPeer | None:
    """By the client's address: 3 bytes of IPv4, 16 of IPv6 (``ngx_http_upstream_get_ip_hash_peer``)."""
    peers = request.peers
    if request.misses > MAX_MISSES or peers.number < 2:
        return round_robin(request, now)
    seed = _SEED if request.hash < 0 else request.hash
    while True:
        for byte in request.address:
            seed = (seed * 113 + byte) % 6271
        peer = walked(peers, seed % peers.total_weight)
        if eligible(peer, request.tried, now):
            request.hash = seed  # a retry goes on from here
            return take(request, peer, now)
        request.misses += 1
        if request.misses > MAX_MISSES:
            return round_robin(request, now)


def pick_key(request: Request, now: int) -> SimulatedPeer | None:
    """By a key (``ngx_http_upstream_get_hash_peer``)."""
    peers = request.peers
    if request.misses > MAX_MISSES or peers.number < 2 or not request.key:
        return round_robin(request, now)
    while True:
        counter = str(request.rehash).encode() if request.rehash else b""
        request.hash = max(request.hash, 0) + ((crc32(counter + request.key) >> 16) & 0x7FFF)
        request.rehash += 1
        peer = walked(peers, request.hash % peers.total_weight)
        if eligible(peer, request.tried, now):
            return take(request, peer, now)
        request.misses += 1
        if request.misses > MAX_MISSES:
            return round_robin(request, now)


class Ring:
    """``hash key consistent`` (``ngx_http_upstream_update_chash``, ``…_get_chash_peer``)."""

    def __init__(self, peers: Peers) -> None:
        servers = tuple((peer.server.text or peer.server.name, peer.weight) for peer in peers.all)
        self._hashes, self._texts = _ring(servers)

    def pick(self, request: Request, now: int) -> SimulatedPeer | None:
        """The first point at or behind the key's whose server has an eligible address."""
        peers = request.peers
        if request.misses > MAX_MISSES or peers.number < 2 or not request.key:
            return round_robin(request, now)
        if request.hash < 0:
            request.hash = bisect_left(self._hashes, crc32(request.key))
        while True:
            text = self._texts[request.hash % len(self._texts)]
            best = _best(peers, text, request.tried, now)
            if best is not None:
                return take(request, best, now)
            request.hash += 1
            request.misses += 1
            if request.misses > MAX_MISSES:
                return round_robin(request, now)


@lru_cache(maxsize=8)
def _ring(servers: tuple[tuple[str, int], ...]) -> tuple[list[int], list[str]]:
    """Points in order and the server at each; every worker of every run has the same ones."""
    points: dict[int, str] = {}
    for text, weight in servers:
        for point in _points(text, weight * _POINTS):
            points.setdefault(point, text)
    hashes = sorted(points)
    return hashes, [points[each] for each in hashes]


def _best(peers: Peers, text: str, tried: int, now: int) -> SimulatedPeer | None:
    """Round robin over the addresses of one configured server."""
    best, total = None, 0
    for peer in peers.usable:
        if (peer.server.text or peer.server.name) != text or not eligible(peer, tried, now):
            continue
        peer.current += peer.effective
        total += peer.effective
        if peer.effective < peer.weight:
            peer.effective += 1
        if best is None or peer.current > best.current:
            best = peer
    if best is not None:
        best.current -= total
    return best


def _points(text: str, number: int) -> list[int]:
    """Points of one server: crc32 of HOST NUL PORT and the point before, as Cache::Memcached::Fast does it."""
    host, port = text, ""
    if text[:5].lower() == "unix:":
        host = text[5:]
    else:
        head, colon, tail = text.rpartition(":")
        if colon and all("0" <= char <= "9" for char in tail):
            host, port = head, tail
    base = crc32(host.encode("utf-8", "surrogateescape") + b"\0" + port.encode())
    found, previous = [], 0
    for _ in range(number):
        previous = crc32(previous.to_bytes(4, "little"), base)
        found.append(previous)
    return found
