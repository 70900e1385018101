"""The requests of a drill: how many, which, from whom, and how long clients wait. Times are milliseconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import accumulate, groupby
from random import Random
from typing import Any

from msgspec import Struct

from nginxaudit.drill.behaviour import FOREVER

BODIES = frozenset({"POST", "PUT", "PATCH"})
"""Methods that are taken to carry a body."""
NOT_REPEATED = frozenset({"POST", "LOCK", "PATCH"})
"""Methods that nginx does not send twice without ``non_idempotent`` (``ngx_http_upstream_next``)."""


class Traffic(Struct, frozen=True):
    """What clients and servers do while nothing is wrong, and how faults are dosed.

    ``rate`` is requests per second, evenly spaced. ``methods`` are shares, which need not add up to 1.
    ``workers`` None takes what the configuration says. ``response_time`` is the answer of a healthy server,
    ``slow_time`` that of a slow one, ``error_status`` what a failing one answers. ``restart`` is how
    long an instance is gone in a rolling restart, ``pause`` the time until the next one goes.
    ``flap_down`` and ``flap_up`` alternate. ``clients`` different addresses (and keys of ``hash``) come in turn by
    chance. ``large_bodies``: bodies do not fit into the sockets' buffers, so that a server that hangs
    meets the send timeout. ``seed`` decides everything that is left to chance.
    """

    rate: float = 50.0
    methods: tuple[tuple[str, float], ...] = (("GET", 0.9), ("POST", 0.1))
    workers: int | None = None
    response_time: int = 50
    client_timeout: int = 30_000
    restart: int = 20_000
    pause: int = 10_000
    slow_time: int = 5_000
    error_status: int = 503
    flap_down: int = 5_000
    flap_up: int = 5_000
    clients: int = 256
    large_bodies: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError("the rate must be more than 0 requests per second")
        if not any(share > 0 for _, share in self.methods):
            raise ValueError("no method has a share of the requests")
        times = (self.response_time, self.client_timeout, self.restart, self.pause, self.slow_time)
        if min(times) < 0 or min(self.flap_down, self.flap_up) <= 0 or self.client_timeout == 0:
            raise ValueError("times must not be negative, and clients must wait for some time")


class Call(Struct, frozen=True):
    """One request of an explicit list. ``at`` is ms; ``key`` is the value of the expression of ``hash``."""

    at: int = 0
    method: str = "GET"
    worker: int = 0
    key: str = ""
    address: str = "192.0.2.1"


Arrival = tuple[int, str, int, bytes, bytes]
"""ms, method, worker, key, address bytes."""


def arrivals(load: Traffic, duration: int, workers: int, key: str) -> Iterator[Arrival]:
    """Requests of ``duration`` ms in order of time; method, worker and client are drawn by the seed.

    nginx leaves it to the kernel which worker accepts a connection.
    """
    random = Random(load.seed)
    draw = random.random
    names = [name for name, share in load.methods if share > 0]
    bounds = list(accumulate(share for _, share in load.methods if share > 0))
    whole, last = bounds[-1], len(names) - 1
    clients = max(1, load.clients)
    addresses = [bytes((10, each >> 8 & 255, each & 255)) for each in range(clients)]
    keys = [(f"client-{each}" if "$" in key else key).encode() for each in range(clients)]
    step = 1000 / load.rate
    for number in range(int(duration / step)):
        method = names[min(last, bisect_right(bounds, draw() * whole))] if last else names[0]
        worker = int(draw() * workers) if workers > 1 else 0
        client = int(draw() * clients)
        yield int(number * step), method, worker, keys[client], addresses[client]


_KEPT = 100_000  # requests of one load that are kept for further runs


class Second(list[Arrival]):
    """The requests of one second. ``dealt`` and ``passed`` are for what was found out about them, by whatever it depends on."""

    __slots__ = ("dealt", "passed")

    def __init__(self, requests: Iterable[Arrival]) -> None:
        super().__init__(requests)
        self.dealt: dict[object, tuple[tuple[int, int], ...]] = {}
        self.passed: dict[object, Any] = {}

    def of(self, worker: int | None) -> Second:
        """Those of one worker."""
        return self if worker is None else Second(each for each in self if each[2] == worker)


def seconds(
    load: Traffic, duration: int, workers: int, key: str, worker: int | None = None
) -> Iterator[tuple[int, Second]]:
    """`arrivals`, second by second, of one worker or all. Runs of one load have the same requests: they are drawn once."""
    number = how_many(load, duration)
    if is_kept(load, duration):
        yield from _kept(load, workers, key).up_to(number, worker)
        return
    for second, batch in _batches(arrivals(load, duration, workers, key)):
        yield second, batch.of(worker)


def is_kept(load: Traffic, duration: int) -> bool:
    """Whether the requests of so many ms are few enough to be drawn only once."""
    return how_many(load, duration) <= _KEPT


def how_many(load: Traffic, duration: int) -> int:
    """The requests of so many ms."""
    return int(duration / (1000 / load.rate))


def _batches(requests: Iterable[Arrival]) -> Iterator[tuple[int, Second]]:
    for second, batch in groupby(requests, lambda arrival: arrival[0] // 1000):
        yield second, Second(batch)


class _Kept:
    """The requests of one load, as far as they were wanted."""

    def __init__(self, load: Traffic, workers: int, key: str) -> None:
        self._more = _batches(arrivals(load, FOREVER, workers, key))
        self._batches: list[tuple[int, Second]] = []
        self._shares: dict[tuple[int, int | None], Second] = {}

    def up_to(self, number: int, worker: int | None) -> Iterator[tuple[int, Second]]:
        """The first ``number`` requests of all workers, or what of them goes to one."""
        at = 0
        while number > 0:
            if at == len(self._batches):
                self._batches.append(next(self._more))
            second, batch = self._batches[at]
            yield (
                second,
                self._share(at, worker) if len(batch) <= number else Second(batch[:number]).of(worker),
            )
            number -= len(batch)
            at += 1

    def _share(self, at: int, worker: int | None) -> Second:
        share = self._shares.get((at, worker))
        if share is None:
            share = self._shares[at, worker] = self._batches[at][1].of(worker)
        return share


@lru_cache(maxsize=8)
def _kept(load: Traffic, workers: int, key: str) -> _Kept:
    return _Kept(load, workers, key)


def explicit(calls: tuple[Call, ...], shift: int = 0) -> Iterator[Arrival]:
    """An explicit list of requests, in order of time; ``shift`` ms are added to their times."""
    for each in sorted(calls, key=lambda call: call.at):
        yield each.at + shift, each.method, each.worker, each.key.encode(), address_bytes(each.address)


def address_bytes(text: str) -> bytes:
    """What ``ip_hash`` reads of an address: 3 bytes of IPv4, 16 of IPv6, zeros for a UNIX socket."""
    import ipaddress

    try:
        packed = ipaddress.ip_address(text).packed
    except ValueError:
        return b"\0\0\0"
    return packed[:3] if len(packed) == 4 else packed
