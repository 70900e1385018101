"""State of peers and requests, and the accounting of failures.

``ngx_http_upstream_rr_peer_t``, ``ngx_http_upstream_free_round_robin_peer`` in
src/http/ngx_http_upstream_round_robin.c; stream has the same code. These objects are touched for every
simulated request, so they are plain classes with slots. ``now`` is whole seconds, as ``ngx_time()``.
"""

from __future__ import annotations

from collections.abc import Sequence

from nginxaudit.drill.behaviour import Backend
from nginxaudit.drill.spec import ServerSpec

NEVER = 1 << 60  # fails or conns that no peer reaches: the test for "no limit" is one comparison
LONG_AGO = -1_000_000_000  # s: nginx starts with 0 and counts from 1970, we start to count near 0


class SimulatedPeer:
    """One peer of one list as one state (a worker's, or the zone's) sees it. Fields as in nginx.

    ``limit`` is max_fails and ``room`` is max_conns, `NEVER` where they are 0. ``bit`` is its place in the
    tried bits of a request.
    """

    __slots__ = (
        "accessed", "average", "backend", "bit", "checked", "conns", "current", "down", "effective",
        "fail_timeout", "fails", "index", "limit", "loss", "room", "server", "state", "step", "watched", "weight",
    )  # fmt: skip

    def __init__(self, server: ServerSpec, index: int, place: int, backend: Backend, state: int) -> None:
        self.server = server
        self.index = index  # among all servers of the group
        self.bit = 1 << place
        self.backend = backend
        self.state = state  # which copy of the group
        self.weight = self.effective = server.weight
        self.current = 0
        self.fails = 0
        self.accessed = self.checked = LONG_AGO
        self.conns = 0
        self.down = server.down
        self.fail_timeout = server.fail_timeout_s
        self.limit = server.max_fails or NEVER
        self.loss = server.weight // server.max_fails if server.max_fails else 0
        self.step = 1  # of the weight that a pick gives back
        self.room = server.max_conns or NEVER
        self.average = 0  # ms, of least_time
        self.watched = False  # somebody wants to know when it serves again


class Peers:
    """One list: the primaries or the backups. ``down`` peers stay in ``all``; ``usable`` is without them.

    ``single``: exactly one primary address, down or not, and no backup: then failures never take it out.
    """

    __slots__ = ("all", "backups", "live", "number", "single", "total_weight", "usable")

    def __init__(self, peers: Sequence[SimulatedPeer], backups: Peers | None, *, single: bool) -> None:
        self.all = list(peers)
        self.usable = [peer for peer in peers if not peer.down]
        self.live = len(self.usable)  # those that a health check takes out count, too
        self.number = len(self.all)
        self.total_weight = sum(peer.weight for peer in peers)
        self.single = single
        self.backups = backups

    def tries(self, *, count_down: bool) -> int:
        """Tries that a request begins with; before 1.19.6 servers that are down count."""
        own = self.number if count_down else self.live
        return own + (self.backups.tries(count_down=count_down) if self.backups else 0)


class Request:
    """One request in flight, with the attempt that is going on.

    ``tried`` has a bit per peer of the list in use. ``once``: it may not be sent twice. ``hash``,
    ``rehash`` and ``misses`` belong to the hash methods and to random. ``cached``: the attempt runs on a reused
    connection, ``uses`` counts the requests on it.
    """

    __slots__ = (
        "address", "arrival", "attempts", "cached", "deadline", "died", "hash", "key", "misses", "once",
        "outcome", "peer", "peers", "rehash", "sent", "started", "status", "trace", "tried", "tries", "uses",
        "worker",
    )  # fmt: skip

    peer: SimulatedPeer
    trace: list[tuple[int, int]] | None

    def __init__(
        self, arrival: int, worker: int, peers: Peers, tries: int, deadline: int, once: bool
    ) -> None:
        self.arrival = arrival
        self.worker = worker
        self.peers = peers
        self.tries = tries
        self.deadline = deadline
        self.once = once
        self.tried = 0
        self.attempts = 0
        self.hash = -1
        self.rehash = 0
        self.misses = 0
        self.cached = False
        self.sent = False
        self.died = False
        self.uses = 0
        self.status = 200
        self.outcome = 0
        self.started = arrival
        self.key = b""
        self.address = b""
        self.trace = None


def eligible(peer: SimulatedPeer, tried: int, now: int) -> bool:
    """Whether a peer of a list that is not single may be picked: not tried, not down, not failed, with room."""
    return not (
        tried & peer.bit
        or peer.down
        or (peer.fails >= peer.limit and now - peer.checked <= peer.fail_timeout)
        or peer.conns >= peer.room
    )


def take(request: Request, peer: SimulatedPeer, now: int) -> SimulatedPeer:
    """Account a pick: window, tried bit, connection."""
    if now - peer.checked > peer.fail_timeout:
        peer.checked = now
    request.tried |= peer.bit
    peer.conns += 1
    return peer


def to_backups(request: Request) -> bool:
    """Switch a request to the backups, for good; False where there are none or it is there already."""
    backups = request.peers.backups
    if backups is None:
        return False
    request.peers = backups
    request.tried = 0
    return True


def release(request: Request, peer: SimulatedPeer, now: int, *, failed: bool) -> None:
    """End an attempt (``ngx_http_upstream_free_round_robin_peer``)."""
    peer.conns -= 1
    if request.peers.single:
        peer.fails = 0
        request.tries = 0
        return
    if failed:
        peer.fails += 1
        peer.accessed = peer.checked = now
        peer.effective = max(0, peer.effective - peer.loss)
    elif peer.accessed < peer.checked:
        peer.fails = 0
    if request.tries:
        request.tries -= 1
