"""The simulation with what comes in NGINX Plus and in modules: active checks, slow start, sessions and a queue.

A change of a server's state is an entry of an agenda, which is followed beside the events of requests. ``queue`` by
https://nginx.org/en/docs/http/ngx_http_upstream_module.html#queue: a request that finds no server waits until one can be picked; it is asked
for one in order of arrival, when a request ends, when the health of a server changes, and with every second, in which ``fail_timeout`` counts. The
documentation does not say whether workers share a queue: here those have one that share the state of the group.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from heapq import heappop, heappush
from typing import Any

from nginxaudit.drill.attempts import ABORTED, ANSWERED, BROKEN, DONE
from nginxaudit.drill.behaviour import FOREVER, Schedule
from nginxaudit.drill.fates import GAVE_UP
from nginxaudit.drill.methods.sticky import Sessions, with_sessions
from nginxaudit.drill.peers import Peers, Request, SimulatedPeer
from nginxaudit.drill.probing import MODULE, health
from nginxaudit.drill.ramp import SCALE, WITHOUT, next_step, weight_at
from nginxaudit.drill.simulation import Simulation
from nginxaudit.drill.spec import UpstreamSpec, Use
from nginxaudit.drill.tally import Tally

Act = Callable[[int], None]
_ANSWERS = frozenset({DONE, ANSWERED, BROKEN})


def simulation_of(group: UpstreamSpec) -> type[Simulation]:
    """What simulates ``group``: the plain one is quicker."""
    return Extended if group.extended else Simulation


class Extended(Simulation):
    """A `Simulation` with an agenda of changes. ``started``: nginx has run for long when time begins."""

    def __init__(
        self,
        group: UpstreamSpec,
        use: Use,
        schedules: Mapping[int, Schedule],
        tally: Tally,
        *,
        workers: int = 1,
        response: int = 50,
        horizon: int = 3_600_000,
        seed: int = 1,
        started: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(
            group,
            use,
            schedules,
            tally,
            workers=workers,
            response=response,
            horizon=horizon,
            seed=seed,
            **more,
        )
        self._agenda: list[tuple[int, int, Act]] = []
        self._order = 0
        self._ramps: dict[SimulatedPeer, int] = {}
        self._slow = group.method not in WITHOUT and any(server.slow_start for server in group.servers)
        if self._slow:
            for peers in self._every_list():
                _scale(peers)
        self.others = bool(self._slow or group.checks or group.queue)
        self._sessions: Sessions | None = None
        if group.sticky is not None:
            self._sessions = Sessions(group.sticky)
            asks = not any(check.name == MODULE for check in group.checks)
            self.picks = [with_sessions(pick, self._sessions, group.method, asks=asks) for pick in self.picks]
        self._queues: dict[Peers, deque[tuple[int, Request]]] = {state: deque() for state in self.states}
        self._waiting = 0
        self._asking = self._found_none = False
        self._checking = set() if started else set(range(len(group.servers)))
        for index, server in enumerate(group.servers if group.checks else ()):
            schedule = schedules.get(index, ())
            if server.down or (started and not schedule):
                continue  # who is always well stays healthy
            own = seed * len(group.servers) + index
            changes = health(
                group.checks, schedule, response, horizon, workers=workers, seed=own, started=started
            )
            for at, healthy in changes:
                self._later(at, partial(self._probed, index, healthy=healthy))

    def stirs(self, second: int) -> bool:
        """Whether something may change within ``second``, or requests have to be followed to know who is bound to whom."""
        return self._sessions is not None or bool(self._agenda and self._agenda[0][0] < second * 1000 + 1000)

    def _loses_no_more(self) -> bool:
        return not self._agenda and super()._loses_no_more()

    def pass_time(self, t: int) -> None:
        """Let happen what is due up to ``t``."""
        if not self.others:
            super().pass_time(t)
            return
        events, agenda = self.events, self._agenda
        while True:
            change = agenda[0][0] if agenda else FOREVER
            event = events[0][0] if events else FOREVER
            moment = min(change, event)
            if moment > t or moment == FOREVER:
                return
            if change <= event:
                heappop(agenda)[2](moment)
            else:
                request = heappop(events)[2]
                if self.end(request, moment):
                    self._attempt(request, moment)
            if self._waiting:
                self._ask(moment)

    def end(self, request: Request, t: int) -> bool:
        """Release the peer of an attempt that is over; True when another attempt follows."""
        again = self._end_slowly(request, t) if self._slow else super().end(request, t)
        if not again and self._sessions is not None:
            self._bind(request, t)
        return again

    # -- health

    def _every_list(self) -> Iterator[Peers]:
        for state in self.states:
            yield state
            if state.backups is not None:
                yield state.backups

    def _probed(self, index: int, t: int, *, healthy: bool) -> None:
        """The health of a server changes for all workers."""
        for peers in self._every_list():
            for peer in peers.all:
                if peer.index != index:
                    continue
                peer.down = not healthy
                if healthy:
                    if index not in self._checking:  # it was not known yet, but not unhealthy
                        self._slow_down(peer, t)
                else:
                    self.tally.taken_out(peer, t, by_check=True)
            peers.usable = [peer for peer in peers.all if not peer.down]
        if healthy:
            self._checking.discard(index)

    # -- slow start

    def _end_slowly(self, request: Request, t: int) -> bool:
        """Begin a slow start with the end of an attempt, or give one up."""
        peer = request.peer
        was_out = peer.fails >= peer.limit
        again = super().end(request, t)
        if was_out != (peer.fails >= peer.limit):
            if not was_out:
                self._ramps.pop(peer, None)
            elif peer not in self._ramps:  # a check that found it healthy before has begun one
                self._slow_down(peer, t)
        return again

    def _slow_down(self, peer: SimulatedPeer, t: int) -> None:
        """Begin the slow start of a server that is back."""
        if not self._slow or not peer.server.slow_start or self.states[0].single:
            return
        self._ramps[peer] = t
        self._grow(peer, t, t)

    def _grow(self, peer: SimulatedPeer, begin: int, t: int) -> None:
        if self._ramps.get(peer) != begin:
            return  # it was gone and is back again
        slow_start = peer.server.slow_start
        peer.weight = weight_at(peer.server.weight, t - begin, slow_start)
        if not peer.fails:
            peer.effective = peer.weight
        if t - begin >= slow_start:
            del self._ramps[peer]
            return
        self._later(begin + next_step(t - begin, slow_start), lambda now: self._grow(peer, begin, now))

    # -- sessions

    def _bind(self, request: Request, t: int) -> None:
        sticky, sessions = self.group.sticky, self._sessions
        if sticky is None or sessions is None or t > request.deadline or request.outcome == ABORTED:
            return
        if sticky.kind == "cookie" or request.outcome in _ANSWERS:
            sessions.bind(request, request.peer, t)
            self.tally.moved = sessions.moved

    # -- queue

    def _nobody(self, request: Request, t: int) -> None:
        """No server can be picked: the request waits, if there is a place for it."""
        if self._asking:
            self._found_none = True
            return
        queue, own = self.group.queue, self._queues[self._lists[request.worker]]
        if queue is None or len(own) >= queue.size:
            super()._nobody(request, t)
            return
        if not self._waiting:
            self._later(t // 1000 * 1000 + 1000, self._tick)
        self._order += 1
        place = self._order, request
        own.append(place)
        self._waiting += 1
        end = t + queue.timeout
        if not self._waits:
            end = min(end, max(t, request.deadline))
        self._later(end, lambda now: self._expire(place, now))

    def _tick(self, t: int) -> None:
        if self._waiting:
            self._later(t + 1000, self._tick)

    def _ask(self, t: int) -> None:
        """Give servers to those that wait, in their order."""
        for own in self._queues.values():
            while own:
                request = own[0][1]
                if not request.attempts:
                    request.peers, request.tried = self._lists[request.worker], 0
                self._asking, self._found_none = True, False
                self._attempt(request, t)
                self._asking = False
                if self._found_none:
                    break
                own.popleft()
                self._waiting -= 1

    def _expire(self, place: tuple[int, Request], t: int) -> None:
        request = place[1]
        own = self._queues[self._lists[request.worker]]
        if place not in own:
            return  # it got a server
        own.remove(place)
        self._waiting -= 1
        if t >= request.deadline:
            request.died = False
            self.tally.finished(request, t, GAVE_UP)
        else:
            super()._nobody(request, t)

    def _later(self, at: int, act: Act) -> None:
        self._order += 1
        heappush(self._agenda, (at, self._order, act))


def _scale(peers: Peers) -> None:
    """Count weights in percent."""
    for peer in peers.all:
        peer.weight = peer.effective = peer.server.weight * SCALE
        peer.loss *= SCALE
        peer.step = SCALE
    peers.total_weight *= SCALE
