"""Requests through a group in simulated time: the events, the retries, and nothing else.

``ngx_http_upstream_next`` and ``ngx_http_upstream_test_next`` in src/http/ngx_http_upstream.c,
``ngx_stream_proxy_next_upstream`` in src/stream/ngx_stream_proxy_module.c. Time is ms from the begin of the drill; failures are
accounted in whole seconds, as nginx does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from random import Random

from nginxaudit.drill.attempts import (
    ABORTED,
    ANSWERED,
    BROKEN,
    DONE,
    ERROR,
    LATE_ERROR,
    plan_http,
    plan_stream,
)
from nginxaudit.drill.behaviour import OK, REFUSE, Backend, Schedule
from nginxaudit.drill.connections import Pool
from nginxaudit.drill.fates import GAVE_UP, listed, may_fail
from nginxaudit.drill.load import BODIES, NOT_REPEATED, Arrival, Second
from nginxaudit.drill.methods import Pick, pick_of
from nginxaudit.drill.methods.least import measured
from nginxaudit.drill.peers import NEVER, Peers, Request, SimulatedPeer, release
from nginxaudit.drill.spec import DOWN_NOT_TRIED, UpstreamSpec, Use
from nginxaudit.drill.steady import Steady
from nginxaudit.drill.tally import Tally

_BY_TURN_OR_CLIENT = frozenset({"round_robin", "ip_hash", "hash", "consistent"})
NO_LIVE = -1
"""Index of the server in a trace where none was eligible."""


class Simulation:
    """One run. Make it, `run` it once, read its tally.

    ``schedules`` are by the index of the server in the group; ``horizon`` (ms) bounds what repeats.
    With ``worker`` only its requests come: workers that share no state know nothing of each other.
    """

    def __init__(
        self,
        group: UpstreamSpec,
        use: Use,
        schedules: Mapping[int, Schedule],
        tally: Tally,
        *,
        workers: int = 1,
        response: int = 50,
        client_timeout: int = 0,
        large_bodies: bool = False,
        horizon: int = 3_600_000,
        seed: int = 1,
        worker: int | None = None,
    ) -> None:
        self.group = group
        self.tally = self._tally = tally
        self.patience = client_timeout or NEVER
        self.large = large_bodies
        self._plan = plan_http if group.family == "http" else plan_stream
        self.events: list[tuple[int, int, Request]] = []
        self._number = 0
        self.backends = backends = [
            Backend(schedules.get(index, ()), response, horizon) for index in range(len(group.servers))
        ]
        copies = range(1 if group.zone else workers) if worker is None else (worker,)
        self.states: list[Peers] = [_state(group, backends, copy) for copy in copies]
        random = Random(seed)
        picks: list[Pick] = [pick_of(group, peers, random) for peers in self.states]
        self._lists = [self.states[each % len(copies)] for each in range(workers)]
        self.picks = [picks[each % len(copies)] for each in range(workers)]
        keeps = group.keepalive > 0 and use.reuses and group.family == "http"
        self.pools = [
            Pool(len(backends), group.keepalive, group.keepalive_requests, group.keepalive_timeout)
            for _ in range(workers if keeps else 0)
        ]
        self.switch(use)
        self._timed = group.method == "least_time"
        self.others = False  # whether something besides requests takes its time, too

    def switch(self, use: Use) -> None:
        """Let what comes pass through another location: the state of the group is the same for all.

        Only between two runs.
        """
        self.use = use
        self._retries_error = _tried_again(use, "error")
        self._retries_timeout = _tried_again(use, "timeout")
        self._once = _not_repeated(self.group, use)
        tries = self.states[0].tries(count_down=self.group.version < DOWN_NOT_TRIED)
        self._tries = min(tries, use.tries) if use.tries else tries
        self._waits = use.ignores_abort or use.udp  # nginx goes on although the client is gone
        self._notices = (
            self.group.family == "http"
        )  # stream does not see while it connects that a client has left
        self._limit = use.read if self.group.family == "http" else use.idle
        self.datagrams = use.udp and use.responses == 0  # sessions that end at once

    def stirs(self, second: int) -> bool:
        """Whether something besides requests may change the state of the group within ``second``."""
        return False

    def run(self, requests: Iterable[Arrival], *, trace: bool = False) -> None:
        """Simulate ``requests``, which come in order of time, to the end of the last one."""
        self._follow(requests, trace=trace)
        self.pass_time(NEVER)

    def run_seconds(self, batches: Iterable[tuple[int, Second]], *, losses_only: bool = False) -> None:
        """The same for requests second by second, quicker: the numbers are equal.

        With ``losses_only`` it ends as soon as nothing can be lost any more: then only what is lost is counted to the end.
        """
        steady = Steady(self)
        calm = self._calm()
        well = self._all_well() if losses_only else NEVER
        for second, batch in batches:
            if second * 1000 >= well and self._loses_no_more():
                break
            if not steady.takes(second, batch):
                if calm:
                    self._follow_others(batch, calm)
                else:
                    self._follow(batch, trace=False)
        steady.stop()
        self.pass_time(NEVER)

    def _all_well(self) -> int:
        """The ms from which on every attempt that begins gets its answer; `NEVER` where that is not certain."""
        answer = max(backend.ms for backend in self.backends)
        full = any(server.max_conns for server in self.group.servers)
        if full or self.datagrams or answer > min(self._limit, self.patience):
            return NEVER
        return max(backend.settles for backend in self.backends)

    def _loses_no_more(self) -> bool:
        """Whether, with all servers well, each request finds one, and nothing in flight can take one out.

        A server that has failed does not count until it has answered: only one request at a time tries it.
        """
        for state in self.states:
            lists = [state.usable, *([state.backups.usable] if state.backups else [])]
            if not any(state.single or peer.fails < peer.limit for peers in lists for peer in peers):
                return False
        return not any(may_fail(self.use, request) for _, _, request in self.events)

    def _follow(self, requests: Iterable[Arrival], *, trace: bool) -> None:
        tally, once, events, others = self._tally, self._once, self.events, self.others
        for t, method, worker, key, address in requests:
            if others or (events and events[0][0] <= t):
                self.pass_time(t)
            request = self.request(t, worker)
            request.once = method in once
            request.key = key
            request.address = address
            if trace:
                request.trace = []
            tally.arrived(t)
            self._attempt(request, t)

    def _calm(self) -> frozenset[int]:
        """Servers that never fail, where all that an attempt at one changes is whose turn it is."""
        group, backends = self.group, self.backends
        answer = min(self._limit, self.patience)
        asks = self.pools or self.datagrams or group.extended or group.method not in _BY_TURN_OR_CLIENT
        if asks or any(server.max_conns for server in group.servers):
            return frozenset()
        return frozenset(at for at, each in enumerate(backends) if each.never_changes and each.ms <= answer)

    def _follow_others(self, requests: Iterable[Arrival], calm: frozenset[int]) -> None:
        """Like `_follow`, but who comes to a server of ``calm`` has the answer at once."""
        tally, once, events, picks = self._tally, self._once, self.events, self.picks
        for t, method, worker, key, address in requests:
            if events and events[0][0] <= t:
                self.pass_time(t)
            request = self.request(t, worker)
            request.once = method in once
            request.key = key
            request.address = address
            tally.arrived(t)
            peer = picks[worker](request, t // 1000)
            if peer is not None and peer.index in calm and not peer.watched:
                peer.conns -= 1
                tally.asked(peer, t // 1000, 1)
                tally.landed(t, t + peer.backend.ms)
            else:
                self._try(request, peer, t)

    def request(self, t: int, worker: int) -> Request:
        """A request that comes at ``t``."""
        return Request(t, worker, self._lists[worker], self._tries, t + self.patience, False)

    def push(self, end: int, request: Request) -> None:
        """Let an attempt go on until ``end``."""
        self._number += 1
        heappush(self.events, (end, self._number, request))

    def pass_time(self, t: int) -> None:
        """Let happen what is due up to ``t``."""
        events = self.events
        while events and events[0][0] <= t:
            end, _, request = heappop(events)
            if self.end(request, end):
                self._attempt(request, end)

    def _attempt(self, request: Request, t: int) -> None:
        """Pick servers until an attempt takes time or the request is over."""
        self._try(request, self.picks[request.worker](request, t // 1000), t)

    def _try(self, request: Request, peer: SimulatedPeer | None, t: int) -> None:
        """The same, with the first one picked already."""
        pick, use, tally = self.picks[request.worker], self.use, self._tally
        pool = self.pools[request.worker] if self.pools else None
        while True:
            if peer is None:
                self._nobody(request, t)
                return
            request.peer = peer
            request.started = t
            request.attempts += 1
            tally.contacts[peer.index][t // 1000] += 1
            backend = peer.backend
            if t >= backend.until:
                backend.advance(t)
            if pool is not None:
                request.uses = pool.take(peer, t)
                request.cached = request.uses > 0
            end = t + backend.ms
            if backend.kind == OK and end <= backend.until and backend.ms <= self._limit and use.responses:
                request.sent = True
                request.outcome = DONE
                request.status = 200
            else:
                end = self._plan(request, backend, t, use, large=self.large)
            if request.sent and peer.accessed < peer.checked and self.group.family == "stream":
                peer.fails = 0  # a session that is connected is a success at once
            if end > request.deadline and not self._waits and (self._notices or request.sent):
                end = max(t, request.deadline)
                request.outcome = ABORTED
                tally.forsaken(request)
            if end > t:
                self.push(end, request)
                return
            if not self.end(request, t):
                return
            peer = pick(request, t // 1000)

    def _nobody(self, request: Request, t: int) -> None:
        """No live upstreams: 502, whatever came before."""
        if request.trace is not None:
            request.trace.append((NO_LIVE, 502))
        request.died = False
        self._tally.finished(request, t, 502, lonely=True)

    def end(self, request: Request, t: int) -> bool:
        """Release the peer of an attempt that is over; True when another attempt follows."""
        outcome, peer = request.outcome, request.peer
        now = t // 1000
        if outcome == DONE:
            release(request, peer, now, failed=False)
            if peer.watched:
                self._tally.served(peer, t)
            if self._timed:
                measured(peer, t - request.started)
            if self.pools:
                self._keep(request, peer, t)
            if request.trace is not None:
                request.trace.append((peer.index, 200))
            self._tally.finished(request, t, 200)
            return False
        if outcome == ANSWERED:
            return self._answered(request, peer, t)
        if outcome in (BROKEN, ABORTED, LATE_ERROR):
            return self._lost(request, peer, t)
        status = 502 if outcome == ERROR else 504
        if request.trace is not None:
            request.trace.append((peer.index, status))
        self._failed(request, peer, t)
        if request.cached and outcome == ERROR:
            request.tries += 1  # a stale connection costs no try
        wanted = self._retries_error if outcome == ERROR else self._retries_timeout
        if request.tries and wanted and not (request.sent and request.once) and self._in_time(request, t):
            return True
        self._tally.finished(request, t, status)
        return False

    def _answered(self, request: Request, peer: SimulatedPeer, t: int) -> bool:
        """A header with an error status: tried again only with a try to spare, else it is a success."""
        status = request.status
        if request.trace is not None:
            request.trace.append((peer.index, status))
        again = (
            request.tries > 1 and listed(self.use, status) and not request.once and self._in_time(request, t)
        )
        if again and status not in (403, 404):
            self._failed(request, peer, t)
            return True
        release(request, peer, t // 1000, failed=False)
        if not again:
            if self.pools:
                self._keep(request, peer, t)
            self._tally.finished(request, t, status)
        return again

    def _lost(self, request: Request, peer: SimulatedPeer, t: int) -> bool:
        """The client gave up, or the answer broke off: no failure of the server, and no other attempt."""
        outcome = request.outcome
        if outcome == LATE_ERROR:
            self._failed(request, peer, t)
        else:
            release(request, peer, t // 1000, failed=False)
        status = {ABORTED: 0, BROKEN: 200, LATE_ERROR: request.status}[outcome]
        if request.trace is not None:
            request.trace.append((peer.index, status))
        broken = outcome != ABORTED and status == 200
        self._tally.finished(request, t, GAVE_UP if outcome == ABORTED else status, broken=broken)
        return False

    def _failed(self, request: Request, peer: SimulatedPeer, t: int) -> None:
        release(request, peer, t // 1000, failed=True)
        if not request.peers.single:
            self._tally.failure(peer, t)

    def _in_time(self, request: Request, t: int) -> bool:
        return not self.use.budget or t - request.arrival < self.use.budget

    def _keep(self, request: Request, peer: SimulatedPeer, t: int) -> None:
        """Put the connection of a good answer back, unless its server is going away."""
        backend = peer.backend
        if t >= backend.until:
            backend.advance(t)
        if backend.kind != REFUSE:
            self.pools[request.worker].put(peer, request.uses + 1, t)


def _tried_again(use: Use, condition: str) -> bool:
    return condition in use.conditions and "off" not in use.conditions


def _not_repeated(group: UpstreamSpec, use: Use) -> frozenset[str]:
    """Methods of requests that are not sent a second time once sending has begun."""
    if group.family == "stream":
        return frozenset()
    methods = frozenset() if "non_idempotent" in use.conditions else NOT_REPEATED
    return methods if use.buffered else methods | BODIES


def _state(group: UpstreamSpec, backends: Sequence[Backend], copy: int) -> Peers:
    """One copy of the state of a group."""
    lists: dict[bool, list[SimulatedPeer]] = {False: [], True: []}
    for index, server in enumerate(group.servers):
        own = lists[server.backup]
        own.append(SimulatedPeer(server, index, len(own), backends[index], copy))
    backups = Peers(lists[True], None, single=False) if lists[True] else None
    return Peers(lists[False], backups, single=len(lists[False]) == 1 and backups is None)
