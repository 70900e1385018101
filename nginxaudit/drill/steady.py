"""Seconds in which nothing goes wrong: their requests are counted, not followed one by one.

nginx accounts in whole seconds, so within one the same servers are eligible. Where all of those are well and stay so,
every request gets its answer at the first attempt, and only who is picked is left to find out. The numbers are those that
following each request would give.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heapify
from typing import TYPE_CHECKING

from nginxaudit.drill.attempts import DONE
from nginxaudit.drill.behaviour import OK
from nginxaudit.drill.load import Arrival
from nginxaudit.drill.methods.hashing import MAX_MISSES
from nginxaudit.drill.peers import NEVER, Peers, Request, SimulatedPeer, eligible

if TYPE_CHECKING:
    from nginxaudit.drill.simulation import Simulation

_BY_CONNECTIONS = frozenset({"least_conn", "random_two"})
_NEVER_STEADY = frozenset({"least_time"})  # its averages move with every answer

_Flight = tuple[int, int, SimulatedPeer, int, int]  # end, arrival, peer, worker, uses of the connection


class _Serving:
    """Who answers in one state of the group: the list in use and those of it that are eligible."""

    __slots__ = ("known", "peers", "well")

    def __init__(self, peers: Peers, well: list[SimulatedPeer]) -> None:
        self.peers = peers
        self.well = well
        self.known: dict[tuple[bytes, bytes], SimulatedPeer] = {}  # by key and address


class Steady:
    """The short way through a `Simulation`, for the seconds that allow it."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._method = simulation.group.method
        full = any(server.max_conns for server in simulation.group.servers)
        self._never = full or simulation.datagrams or self._method in _NEVER_STEADY
        texts = [server.text or server.name for server in simulation.group.servers]
        self._by_turns = len(set(texts)) < len(texts)  # those of one text of hash consistent
        self._serving: list[_Serving] = []
        self._flights: deque[_Flight] = deque()

    def takes(self, second: int, batch: Sequence[Arrival]) -> bool:
        """Account all requests of ``second``; False, and nothing done, where they have to be followed."""
        if self._never or self._simulation.stirs(second) or not self._simulation.tally.whole(second):
            return self._left()
        for backend in self._simulation.backends:
            if second * 1000 >= backend.until:
                backend.advance(second * 1000)
        serving = [self._of(state, second) for state in self._simulation.states]
        well = {peer for each in serving for peer in each.well}
        if not all(each.well for each in serving) or not self._all_well(serving, second):
            return self._left()
        if self._others_end_in(second, well):
            return self._left()
        follows = self._method in _BY_CONNECTIONS or self._pools_matter()
        if follows and len({peer.backend.ms for each in serving for peer in each.well}) > 1:
            return self._left()
        self._remember(serving)
        self._simulation.tally.requests[second] += len(batch)
        if follows:
            self._follow(second, batch)
        else:
            self.stop()
            self._finish(well)
            self._count(second, batch)
        return True

    def _left(self) -> bool:
        self.stop()
        return False

    def stop(self) -> None:
        """Hand what is in flight back to the simulation."""
        simulation = self._simulation
        for end, arrival, peer, worker, uses in self._flights:
            request = simulation.request(arrival, worker)
            request.peer, request.outcome, request.uses = peer, DONE, uses
            request.attempts = 1
            if peer.server.backup:
                assert request.peers.backups is not None
                request.peers = request.peers.backups
            simulation.push(end, request)
        self._flights.clear()

    @staticmethod
    def _of(state: Peers, second: int) -> _Serving:
        """The list of one state that serves in ``second``."""
        if state.single:
            return _Serving(state, state.usable)
        for peers in (state, state.backups):
            well = [peer for peer in peers.usable if eligible(peer, 0, second)] if peers else []
            if peers and well:
                return _Serving(peers, well)
        return _Serving(state, [])

    def _all_well(self, serving: Sequence[_Serving], second: int) -> bool:
        """Whether nothing can fail in ``second``, and no failure is remembered that a success may clear."""
        begin, end = second * 1000, second * 1000 + 1000
        limit, tally = self._simulation.longest, self._simulation.tally
        for each in serving:
            for peer in each.well:
                backend = peer.backend
                if backend.kind != OK or backend.until < end + backend.ms or backend.ms > limit:
                    return False
                if peer.effective != peer.weight:
                    return False
                if (peer.fails and peer.limit != NEVER) or (peer.watched and tally.awaits(peer, begin)):
                    return False
        return True

    def _others_end_in(self, second: int, well: set[SimulatedPeer]) -> bool:
        """Whether a request is in flight that may change who is eligible."""
        end = second * 1000 + 1000
        return any(at < end and not _harmless(request, well) for at, _, request in self._simulation.events)

    def _remember(self, serving: list[_Serving]) -> None:
        """Keep what is known of keys as long as the same servers are eligible."""
        for old, new in zip(self._serving, serving, strict=False):
            if old.well == new.well:
                new.known = old.known
        self._serving = serving

    def _pools_matter(self) -> bool:
        """Idle connections count only for servers that will fail."""
        simulation = self._simulation
        return bool(simulation.pools) and any(backend.fails_later for backend in simulation.backends)

    def _finish(self, well: set[SimulatedPeer]) -> None:
        """End what is in flight at servers that are well: when it ends changes nothing."""
        events = self._simulation.events
        done = [each for each in events if _harmless(each[2], well)]
        if done:
            events[:] = [each for each in events if not _harmless(each[2], well)]
            heapify(events)
            for end, _, request in sorted(done, key=lambda each: each[:2]):
                self._simulation.end(request, end)

    def _count(self, second: int, batch: Sequence[Arrival]) -> None:
        """Deal the requests out without a look at when each ends."""
        tally = self._simulation.tally
        states = len(self._serving)
        if self._method == "round_robin":
            shares = [0] * states
            for arrival in batch:
                shares[arrival[2] % states] += 1
            for serving, share in zip(self._serving, shares, strict=True):
                for peer, number in _dealt(serving, share, second):
                    tally.answered(peer, second, number)
            return
        for arrival in batch:
            _, _, worker, key, address = arrival
            serving = self._serving[worker % states]
            known = serving.known.get((key, address))
            if known is not None:
                peer = known
                if second - peer.checked > peer.fail_timeout:
                    peer.checked = second
            else:
                request, peer = self._picked(arrival, second)
                peer.conns -= 1
                if (
                    request.hash >= 0 and request.misses <= MAX_MISSES and not self._by_turns
                ):  # else round robin chose
                    serving.known[key, address] = peer
            tally.answered(peer, second, 1)

    def _picked(self, arrival: Arrival, second: int) -> tuple[Request, SimulatedPeer]:
        t, _, worker, key, address = arrival
        request = self._simulation.request(t, worker)
        request.key, request.address = key, address
        peer = self._simulation.picks[worker](request, second)
        assert peer is not None
        return request, peer

    def _follow(self, second: int, batch: Sequence[Arrival]) -> None:
        """The same with connections, which end in the order in which they began."""
        simulation, tally, flights = self._simulation, self._simulation.tally, self._flights
        for arrival in batch:
            t, worker = arrival[0], arrival[2]
            self._land(t)
            _, peer = self._picked(arrival, second)
            uses = simulation.pools[worker].take(peer, t) if simulation.pools else 0
            tally.asked(peer, second)
            flights.append((t + peer.backend.ms, t, peer, worker, uses))

    def _land(self, t: int) -> None:
        """End the flights up to ``t``, and in order with them what the simulation has in flight."""
        simulation, tally, flights = self._simulation, self._simulation.tally, self._flights
        while flights and flights[0][0] <= t:
            end, arrival, peer, worker, uses = flights[0]
            simulation.pass_time(end)
            flights.popleft()
            peer.conns -= 1
            if simulation.pools:
                simulation.pools[worker].put(peer, uses + 1, end)
            tally.landed(arrival, end)
        simulation.pass_time(t)


def _harmless(request: Request, well: set[SimulatedPeer]) -> bool:
    """Whether the end of a request changes nothing but numbers."""
    return request.outcome == DONE and request.peer in well


def _dealt(serving: _Serving, number: int, second: int) -> list[tuple[SimulatedPeer, int]]:
    """``number`` picks of smooth weighted round robin among servers that are all well."""
    well = serving.well
    if serving.peers.single or len(well) == 1:
        found = [(well[0], number)] if number else []
    else:
        found = _turns(well, number)
    if not serving.peers.single:
        for peer, _ in found:
            if second - peer.checked > peer.fail_timeout:
                peer.checked = second
    return found


def _turns(well: list[SimulatedPeer], number: int) -> list[tuple[SimulatedPeer, int]]:
    currents = [peer.current for peer in well]
    weights = [peer.weight for peer in well]
    total, count = sum(weights), [0] * len(well)
    places = range(len(well))
    for _ in range(number):
        best, highest = -1, 0
        for at in places:
            current = currents[at] = currents[at] + weights[at]
            if best < 0 or current > highest:
                best, highest = at, current
        currents[best] -= total
        count[best] += 1
    for peer, current in zip(well, currents, strict=True):
        peer.current = current
    return [(peer, each) for peer, each in zip(well, count, strict=True) if each]
