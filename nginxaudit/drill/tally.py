"""Counts what happens in a run while it happens: nothing is kept per request unless a trace is asked for."""

from __future__ import annotations

from collections import defaultdict

from msgspec import Struct

from nginxaudit.drill.attempts import ABORTED
from nginxaudit.drill.peers import Request, SimulatedPeer


class Tried(Struct, frozen=True):
    """One attempt: the index of the server (-1: none was eligible) and its status.

    The statuses are those of ``$upstream_status``; 0 is a ``-`` there: the client was gone before the header.
    """

    server: int
    status: int


class Traced(Struct, frozen=True):
    """One request: when it came and ended (ms), its attempts, and the status for the client (499: gave up)."""

    at: int
    end: int
    attempts: tuple[Tried, ...]
    status: int
    broken: bool = False


class ExceededError(Exception):
    """More requests were lost than anybody wants to know about."""


class Tally:
    """Counters of one run of ``seconds`` (and a bit, for what ends later).

    Per second of arrival: ``ok``, ``failed``, ``retried``. ``contacts[server][second]`` counts attempts. ``waited``
    counts latencies in ms of the requests that came in the window from ``begin`` to ``end`` (ms).
    """

    def __init__(self, servers: int, seconds: int, begin: int = 0, end: int = 1 << 60) -> None:
        self.seconds = seconds
        self.requests = [0] * seconds
        self.ok = [0] * seconds
        self.failed = [0] * seconds
        self.gave_up = [0] * seconds
        self.retried = [0] * seconds
        self.contacts: list[defaultdict[int, int]] = [defaultdict(int) for _ in range(servers)]
        self.statuses: dict[int, int] = {}
        self.waited: dict[int, int] = {}
        self.lonely = 0  # requests that found no live server
        self.broken = 0  # good headers, half bodies
        self.died = 0  # lost because the server went away under them, and not to be sent twice or given up
        self.avoidable = 0  # lost, and not died
        self.limit = 1 << 60  # of `avoidable`: beyond it the run is not worth going on
        self.traces: list[Traced] = []
        self.moved = 0  # sessions that came to another server than theirs
        self.by_checks: set[int] = set()  # servers that an active check took out before failed requests did
        self.out: dict[tuple[int, int], int] = {}
        self.back: dict[tuple[int, int], int] = {}
        self._recovery: dict[int, tuple[int, int]] = {}
        self._begin = begin
        self._end = end

    def watch(self, peer: SimulatedPeer, begin: int, end: int) -> None:
        """Note when ``peer`` is taken out after ``begin`` and when it serves again after ``end`` (ms)."""
        peer.watched = True
        self._recovery[peer.index] = (begin, end)

    def arrived(self, t: int) -> None:
        """A request came."""
        self.requests[t // 1000] += 1

    def failure(self, peer: SimulatedPeer, t: int) -> None:
        """A failure was accounted; it may have taken the peer out."""
        if peer.fails >= peer.limit:
            self.taken_out(peer, t)

    def taken_out(self, peer: SimulatedPeer, t: int, *, by_check: bool = False) -> None:
        """A peer gets no more requests."""
        window = self._recovery.get(peer.index)
        if window and t >= window[0] and (peer.index, peer.state) not in self.out:
            self.out[peer.index, peer.state] = t
            if by_check:
                self.by_checks.add(peer.index)

    def served(self, peer: SimulatedPeer, t: int) -> None:
        """A watched peer answered."""
        if t >= self._recovery[peer.index][1]:
            self.back[(peer.index, peer.state)] = t
            peer.watched = False

    def awaited(self, peer: SimulatedPeer) -> int:
        """The ms from which on the first answer of a watched peer is to be noted."""
        return self._recovery[peer.index][1]

    def whole(self, second: int) -> bool:
        """Whether the window of latencies has all of a second, or nothing of it."""
        begin = second * 1000
        return not (begin < self._begin < begin + 1000 or begin < self._end < begin + 1000)

    def asked(self, peer: SimulatedPeer, second: int, number: int) -> None:
        """So many attempts at a peer."""
        self.contacts[peer.index][second] += number

    def alike(self, peer: SimulatedPeer, second: int, number: int, status: int, wait: int) -> None:
        """So many requests of a `whole` second got ``status`` from ``peer`` after ``wait`` ms, at the first attempt."""
        self.contacts[peer.index][second] += number
        if self._begin <= second * 1000 < self._end:
            self.waited[wait] = self.waited.get(wait, 0) + number
        if status < 400:
            self.ok[second] += number
        else:
            self._count_lost(second, status, number)
            self._blame(number)

    def landed(self, arrival: int, t: int) -> None:
        """A request got its answer at the first attempt."""
        self.ok[arrival // 1000] += 1
        if self._begin <= arrival < self._end:
            self.waited[t - arrival] = self.waited.get(t - arrival, 0) + 1

    def finished(
        self, request: Request, t: int, status: int, *, lonely: bool = False, broken: bool = False
    ) -> None:
        """A request is over."""
        arrival = request.arrival
        second = arrival // 1000
        if t > request.deadline:
            status, broken = 499, False  # nobody was there any more to see the answer break off
        if status < 400 and not broken:
            self.ok[second] += 1
        else:
            self._lost(request, second, status, lonely, broken)
        if request.attempts > 1:
            self.retried[second] += 1
        if self._begin <= arrival < self._end:
            wait = min(t, request.deadline) - arrival
            self.waited[wait] = self.waited.get(wait, 0) + 1
        if request.trace is not None:
            attempts = tuple(Tried(*each) for each in request.trace)
            self.traces.append(Traced(arrival, t, attempts, status, broken))

    def forsaken(self, request: Request) -> None:
        """The client of a request is going to leave: it is lost from now on, although it ends only then."""
        self._blame(not request.died)

    def _lost(self, request: Request, second: int, status: int, lonely: bool, broken: bool) -> None:
        self._count_lost(second, status, 1)
        self.lonely += lonely
        self.broken += broken
        died = request.died and (request.once or status == 499)
        self.died += died
        if request.outcome != ABORTED:
            self._blame(not died)

    def _count_lost(self, second: int, status: int, number: int) -> None:
        if status == 499:
            self.gave_up[second] += number
        else:
            self.failed[second] += number
            self.statuses[status] = self.statuses.get(status, 0) + number

    def _blame(self, number: int) -> None:
        self.avoidable += number
        if self.avoidable > self.limit:
            raise ExceededError
