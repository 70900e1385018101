"""Who gets the requests of a second while the same servers are eligible, without a look at when each request ends."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from nginxaudit.drill.load import Arrival, Second
from nginxaudit.drill.methods.hashing import MAX_MISSES
from nginxaudit.drill.peers import Peers, Request, SimulatedPeer

Dealt = Iterator[tuple[SimulatedPeer, int]]

Places = tuple[tuple[int, int], ...]
"""Places in a list with the number of requests for each."""


class Serving:
    """Who answers in one state of the group: the list in use and those of it that are eligible."""

    __slots__ = ("_alike", "peers", "well")

    def __init__(self, peers: Peers, well: list[SimulatedPeer]) -> None:
        self.peers = peers
        self.well = well
        self._alike: object = None

    def same(self, method: str, first: Peers) -> object:
        """What decides who gets a request of a certain client, if the method looks only at clients."""
        if self._alike is None:
            weights = tuple((peer.weight, peer.server.text or peer.server.name) for peer in first.all)
            self._alike = method, weights, tuple(peer.index for peer in self.well)
        return self._alike


def by_turns(serving: Serving, number: int) -> Dealt:
    """``number`` picks of smooth weighted round robin."""
    well = serving.well
    if serving.peers.single or len(well) == 1:
        if number:
            yield well[0], number
        return
    currents, places = _turns(
        tuple([peer.current for peer in well]), tuple([peer.weight for peer in well]), number
    )
    for peer, current in zip(well, currents, strict=True):
        peer.current = current
    for place, count in places:
        yield well[place], count


@lru_cache(maxsize=4096)
def _turns(
    currents: tuple[int, ...], weights: tuple[int, ...], number: int
) -> tuple[tuple[int, ...], Places]:
    """How so many turns change what the servers have, and how often it is whose turn. Few states come again and again."""
    after = list(currents)
    total, count = sum(weights), [0] * len(weights)
    places = range(len(weights))
    for _ in range(number):
        best, highest = -1, 0
        for at in places:
            current = after[at] = after[at] + weights[at]
            if best < 0 or current > highest:
                best, highest = at, current
        after[best] -= total
        count[best] += 1
    return tuple(after), tuple((at, each) for at, each in enumerate(count) if each)


@lru_cache(maxsize=64)
def known_clients(same: object) -> dict[tuple[bytes, bytes], int]:
    """The places in ``well`` of those that serve a key and an address, as far as they are known; see `Serving.same`."""
    return {}


def found_by_hash(request: Request) -> bool:
    """Whether a pick is the same for the client every time: round robin, which goes on after many misses, is not."""
    return request.hash >= 0 and request.misses <= MAX_MISSES


def of_known(batch: Second, known: dict[tuple[bytes, bytes], int], same: object) -> Places | None:
    """How a batch is dealt when all its clients are known."""
    places = batch.dealt.get(same)
    if places is None:
        try:
            places = tuple(Counter([known[key, address] for _, _, _, key, address in batch]).items())
        except KeyError:
            return None
        batch.dealt[same] = places
    return places


def client_of(arrival: Arrival) -> tuple[bytes, bytes]:
    """What the methods that look at clients know of one."""
    return arrival[3], arrival[4]


class Busy(Struct, frozen=True):
    """What every server of a list has at one moment: its turn, its requests, and those that are counted, in order of their ends.

    ``flights`` are ``(ms until the end, place)``; `conns` has more where others are in flight that outlast the second.
    """

    weights: tuple[int, ...]
    currents: tuple[int, ...]
    conns: tuple[int, ...]
    flights: tuple[tuple[int, int], ...]


class Passed(Struct, frozen=True):
    """What a second makes of it. ``took`` requests came at each place; ``landed`` ended, those that flew before it first."""

    currents: tuple[int, ...]
    conns: tuple[int, ...]
    flights: tuple[tuple[int, int], ...]
    took: Places
    landed: int


_REMEMBERED = 64  # of one second


def by_connections(batch: Second, second: int, busy: Busy, answer: int) -> Passed:
    """``least_conn``, every answer after ``answer`` ms. The same second comes again with the same state in many runs."""
    same = busy, answer
    known: dict[object, Passed] = batch.passed
    passed = known.get(same)
    if passed is None:
        if len(known) >= _REMEMBERED:
            known.clear()
        passed = known[same] = _pass(batch, second * 1000, busy, answer)
    return passed


def _pass(batch: Second, begin: int, busy: Busy, answer: int) -> Passed:
    weights, currents, conns, flights = busy.weights, [*busy.currents], [*busy.conns], deque(busy.flights)
    places, took, landed = range(len(weights)), [0] * len(weights), 0
    for arrival in batch:
        t = arrival[0] - begin
        while flights and flights[0][0] <= t:
            conns[flights.popleft()[1]] -= 1
            landed += 1
        best, tied = 0, [0]
        for at in places[1:]:
            here, least = conns[at] * weights[best], conns[best] * weights[at]
            if here < least:
                best, tied = at, [at]
            elif here == least:
                tied.append(at)
        if len(tied) > 1:
            best, total = tied[0], 0
            for at in tied:
                total += weights[at]
                currents[at] += weights[at]
                if currents[at] > currents[best]:
                    best = at
            currents[best] -= total
        conns[best] += 1
        took[best] += 1
        flights.append((t + answer, best))
    return Passed(
        tuple(currents),
        tuple(conns),
        tuple((end - 1000, at) for end, at in flights),
        tuple((at, each) for at, each in enumerate(took) if each),
        landed,
    )
