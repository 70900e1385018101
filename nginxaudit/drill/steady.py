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
from nginxaudit.drill.behaviour import FOREVER, OK
from nginxaudit.drill.dealing import (
    Busy,
    Serving,
    by_connections,
    by_turns,
    client_of,
    found_by_hash,
    known_clients,
    of_known,
)
from nginxaudit.drill.fates import Fate, fate_of, lasts, may_fail
from nginxaudit.drill.load import Arrival, Second
from nginxaudit.drill.peers import NEVER, Peers, Request, SimulatedPeer, eligible

if TYPE_CHECKING:
    from nginxaudit.drill.simulation import Simulation

_BY_CONNECTIONS = frozenset({"least_conn", "random_two"})
_BY_CLIENT = frozenset({"hash", "consistent", "ip_hash"})
_NEVER_STEADY = frozenset({"least_time"})  # its averages move with every answer

_Flight = tuple[int, int, SimulatedPeer, int, int]  # end, arrival, peer, worker, uses of the connection


class Steady:
    """The short way through a `Simulation`, for the seconds that allow it."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._method = simulation.group.method
        full = any(server.max_conns for server in simulation.group.servers)
        self._never = full or simulation.datagrams or self._method in _NEVER_STEADY
        texts = [server.text or server.name for server in simulation.group.servers]
        turns = self._method == "consistent" and len(set(texts)) < len(texts)  # those of one text take turns
        self._by_client = self._method in _BY_CLIENT and not turns
        self._serving: list[Serving] = []
        self._fates: dict[SimulatedPeer, Fate] = {}
        self._changes = 0  # the second in which something may change who serves, or how
        self._flights: deque[_Flight] = deque()
        self._asking = [simulation.request(0, worker) for worker in range(len(simulation.picks))]
        self._lists = [request.peers for request in self._asking]

    def takes(self, second: int, batch: Second) -> bool:
        """Account all requests of ``second``; False, and nothing done, where they have to be followed."""
        if self._never or self._simulation.stirs(second) or not self._simulation.tally.whole(second):
            return self._left()
        if second >= self._changes and not self._settled(second):
            return self._left()
        self._simulation.tally.requests[second] += len(batch)
        if second < self._changes:
            self._count(second, batch)
        elif self._only_connections(second):
            self._pass(second, batch)
        else:
            self._follow(second, batch)
        return True

    def _settled(self, second: int) -> bool:
        """Find out who serves in ``second`` and the next ones; False where that is not for all of it the same.

        `_changes` stays where it is when only this second is known, since the ends of requests count.
        """
        begin = second * 1000
        self._land(begin - 1)  # perhaps no request came for seconds in which something ended
        for backend in self._simulation.backends:
            if begin >= backend.until:
                backend.advance(begin)
        serving = [self._of(state, second) for state in self._simulation.states]
        fates = self._fates_of(serving, second)
        if fates is None or self._others_end_in(second, fates):
            return False
        self._serving, self._fates = serving, fates
        if self._method in _BY_CONNECTIONS or self._pools_matter():
            return len(set(fates.values())) == 1 and all(status == 200 for status, _ in fates.values())
        self.stop()
        self._finish()
        self._changes = self._next_change(second)
        return True

    def _left(self) -> bool:
        self.stop()
        self._changes = 0
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
    def _of(state: Peers, second: int) -> Serving:
        """The list of one state that serves in ``second``."""
        if state.single:
            return Serving(state, state.usable)
        for peers in (state, state.backups):
            well = [peer for peer in peers.usable if eligible(peer, 0, second)] if peers else []
            if peers and well:
                return Serving(peers, well)
        return Serving(state, [])

    def _fates_of(self, serving: Sequence[Serving], second: int) -> dict[SimulatedPeer, Fate] | None:
        """How each server that serves in ``second`` treats its requests.

        None where one may fail, or a failure is remembered that a success may clear.
        """
        simulation, found = self._simulation, {}
        end = second * 1000 + 1000
        for each in serving:
            if not each.well:
                return None
            for peer in each.well:
                if peer.effective != peer.weight or (peer.fails and peer.limit != NEVER):
                    return None
                family = simulation.group.family
                fate = fate_of(
                    peer.backend, simulation.use, family, simulation.patience, large=simulation.large
                )
                if fate is None or self._same_until(peer, fate) < end:
                    return None
                found[peer] = fate
        return found

    def _same_until(self, peer: SimulatedPeer, fate: Fate) -> int:
        """The ms until which nothing about a server's requests changes: what becomes of them, or whether an answer is to be noted."""
        until = lasts(peer.backend, fate)
        noted = peer.watched and fate[0] == 200
        return min(until, self._simulation.tally.awaited(peer) - fate[1]) if noted else until

    def _others_end_in(self, second: int, well: dict[SimulatedPeer, Fate]) -> bool:
        """Whether a request is in flight that may change who is eligible."""
        end = second * 1000 + 1000
        return any(at < end and not self._harmless(each, well) for at, _, each in self._simulation.events)

    def _harmless(self, request: Request, well: dict[SimulatedPeer, Fate]) -> bool:
        """Whether the end of a request changes nothing but numbers."""
        return request.peer in well and not may_fail(self._simulation.use, request)

    def _pools_matter(self) -> bool:
        """Idle connections count only for servers that will fail."""
        simulation = self._simulation
        return bool(simulation.pools) and any(backend.fails_later for backend in simulation.backends)

    def _only_connections(self, second: int) -> bool:
        """Whether the connections at hand decide who is picked, and nothing but the requests that are counted changes them."""
        simulation = self._simulation
        ends = simulation.events and simulation.events[0][0] < second * 1000 + 1000
        alone = self._method == "least_conn" and len(self._serving) == 1 and not self._serving[0].peers.single
        return alone and not ends and (not simulation.pools or _well_for_good(simulation))

    def _finish(self) -> None:
        """End what is in flight at servers that are well: when it ends changes nothing."""
        events = self._simulation.events
        done = [each for each in events if self._harmless(each[2], self._fates)]
        if done:
            events[:] = [each for each in events if not self._harmless(each[2], self._fates)]
            heapify(events)
            for end, _, request in sorted(done, key=lambda each: each[:2]):
                self._simulation.end(request, end)

    def _next_change(self, second: int) -> int:
        """The first second after ``second`` in which another server may be eligible, or one may be not as it was."""
        moments = [self._same_until(peer, fate) // 1000 for peer, fate in self._fates.items()]
        if self._simulation.events:
            moments.append(self._simulation.events[0][0] // 1000)
        for state in self._simulation.states:
            for peers in (state, state.backups):
                moments += [
                    peer.checked + peer.fail_timeout + 1
                    for peer in (peers.usable if peers and not state.single else ())
                    if not eligible(peer, 0, second)
                ]
        return min(moments)

    def _count(self, second: int, batch: Second) -> None:
        """Deal the requests out without a look at when each ends."""
        if self._method == "round_robin":
            states = len(self._serving)
            shares = [len(batch)] if states == 1 else [0] * states
            if states > 1:
                for arrival in batch:
                    shares[arrival[2] % states] += 1
            for serving, share in zip(self._serving, shares, strict=True):
                for peer, number in by_turns(serving, share):
                    self._account(serving, peer, second, number)
            return
        if self._by_client and len(self._serving) == 1:
            self._count_clients(self._serving[0], second, batch)
            return
        for arrival in batch:
            _, peer = self._picked(arrival, second)
            peer.conns -= 1
            self._simulation.tally.alike(peer, second, 1, *self._fates[peer])

    def _count_clients(self, serving: Serving, second: int, batch: Second) -> None:
        """The same where a client always gets the same server."""
        same = serving.same(self._method, self._simulation.states[0])
        known = known_clients(same)
        places = of_known(batch, known, same)
        if places is not None:
            for place, number in places:
                self._account(serving, serving.well[place], second, number)
            return
        for arrival in batch:
            at = known.get(client_of(arrival))
            if at is not None:
                self._account(serving, serving.well[at], second, 1)
                continue
            request, peer = self._picked(arrival, second)
            peer.conns -= 1
            if found_by_hash(request):
                known[client_of(arrival)] = serving.well.index(peer)
            self._simulation.tally.alike(peer, second, 1, *self._fates[peer])

    def _account(self, serving: Serving, peer: SimulatedPeer, second: int, number: int) -> None:
        if second - peer.checked > peer.fail_timeout and not serving.peers.single:
            peer.checked = second
        self._simulation.tally.alike(peer, second, number, *self._fates[peer])

    def _picked(self, arrival: Arrival, second: int) -> tuple[Request, SimulatedPeer]:
        t, _, worker, key, address = arrival
        request = self._asking[worker]
        request.arrival, request.peers, request.tried = t, self._lists[worker], 0
        request.hash, request.rehash, request.misses = -1, 0, 0
        request.key, request.address = key, address
        peer = self._simulation.picks[worker](request, second)
        assert peer is not None
        return request, peer

    def _pass(self, second: int, batch: Second) -> None:
        """``least_conn``: like `_follow`, but for all requests at once."""
        tally, flights, well = self._simulation.tally, self._flights, self._serving[0].well
        begin = second * 1000
        places = {peer: place for place, peer in enumerate(well)}
        if any(each[2] not in places for each in flights):
            self._follow(second, batch)
            return
        answer = well[0].backend.ms
        busy = Busy(
            tuple([peer.weight for peer in well]),
            tuple([peer.current for peer in well]),
            tuple([peer.conns for peer in well]),
            tuple([(each[0] - begin, places[each[2]]) for each in flights]),
        )
        passed = by_connections(batch, second, busy, answer)
        for peer, current, conns in zip(well, passed.currents, passed.conns, strict=True):
            peer.current, peer.conns = current, conns
        for place, number in passed.took:
            peer = well[place]
            if second - peer.checked > peer.fail_timeout:
                peer.checked = second
            tally.asked(peer, second, number)
        before = min(passed.landed, len(flights))
        for _ in range(before):
            flight = flights.popleft()
            tally.landed(flight[1], flight[0])
        new = passed.flights[len(flights) :]
        ended = len(batch) - len(new)
        for each in batch[:ended]:
            tally.landed(each[0], each[0] + answer)
        for each, (end, place) in zip(batch[ended:], new, strict=True):
            flights.append((end + begin + 1000, each[0], well[place], each[2], 0))

    def _follow(self, second: int, batch: Sequence[Arrival]) -> None:
        """The same with connections, which end in the order in which they began."""
        simulation, flights, picked = self._simulation, self._flights, self._picked
        pools, events, others = simulation.pools, simulation.events, simulation.others
        took: dict[SimulatedPeer, int] = {}
        for arrival in batch:
            t, worker = arrival[0], arrival[2]
            if (flights and flights[0][0] <= t) or (events and events[0][0] <= t) or others:
                self._land(t)
            _, peer = picked(arrival, second)
            uses = pools[worker].take(peer, t) if pools else 0
            took[peer] = took.get(peer, 0) + 1
            flights.append((t + peer.backend.ms, t, peer, worker, uses))
        for peer, number in took.items():
            simulation.tally.asked(peer, second, number)

    def _land(self, t: int) -> None:
        """End the flights up to ``t``, and in order with them what the simulation has in flight."""
        simulation, flights = self._simulation, self._flights
        pools, events, others = simulation.pools, simulation.events, simulation.others
        landed = simulation.tally.landed
        while flights and flights[0][0] <= t:
            end, arrival, peer, worker, uses = flights[0]
            if others or (events and events[0][0] <= end):
                simulation.pass_time(end)
            flights.popleft()
            peer.conns -= 1
            if pools:
                pools[worker].put(peer, uses + 1, end)
            landed(arrival, end)
        if others or (events and events[0][0] <= t):
            simulation.pass_time(t)


def _well_for_good(simulation: Simulation) -> bool:
    return all(backend.kind == OK and backend.until == FOREVER for backend in simulation.backends)
