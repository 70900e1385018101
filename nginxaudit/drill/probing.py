"""Active health checks in simulated time: when a server is taken out by probes, and when it is back.

Probes do not depend on requests, so all changes of a server's health follow from what it does and when.

``health_check``: https://nginx.org/en/docs/http/ngx_http_upstream_hc_module.html and ``…/stream/ngx_stream_upstream_hc_module.html``. They
say no more than that ``interval`` lies between two checks: here it is the time from the end of one to the begin of the next.

``check``: README of https://github.com/yaoweibin/nginx_upstream_check_module, docs/modules/ngx_http_upstream_check_module.md of Tengine,
``ngx_http_upstream_check_begin_handler`` and ``…_status_update`` in the module's source. Every worker has a timer of half an interval, with a random
begin; the first of them that finds the last result to be an interval old sends the next probe. So one worker probes a
server whose answers take any time every 1.5 intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from nginxaudit.drill.behaviour import BLACKHOLE, CUT, FOREVER, HANG, REFUSE, RESET, STATUS, Backend, Schedule
from nginxaudit.drill.spec import ActiveCheck
from nginxaudit.model.retries import CONNECT_LIMIT_MS

MODULE = "check"
"""The check of nginx_upstream_check_module. nginx's ``sticky`` does not ask for its results."""
_LEAST_DELAY = 1000  # ms within which the timers of the module begin
_ANSWER = 50  # ms

Health = tuple[tuple[int, bool], ...]
"""Changes: the ms, and whether the server is healthy from then on."""


def probe(check: ActiveCheck, backend: Backend) -> tuple[bool, int]:
    """Whether a probe of a server that behaves so is good, and how many ms it takes."""
    kind = backend.kind
    if kind == REFUSE:
        return False, 0
    if check.looks_at == "icmp":
        return True, 0
    if kind == BLACKHOLE:
        return False, min(check.connect, CONNECT_LIMIT_MS)
    if check.looks_at == "connect":
        return True, 0
    if kind == HANG:
        return False, check.answer
    if check.looks_at == "answer":  # a handshake is not slow because the application is
        return True, 0
    if backend.ms > check.answer:
        return False, check.answer
    good = kind not in (RESET, CUT)
    if kind == STATUS:
        good = any(first <= backend.status <= last for first, last in check.alive)
    return good, backend.ms


def health(
    checks: Sequence[ActiveCheck],
    schedule: Schedule,
    response: int,
    horizon: int,
    *,
    workers: int = 1,
    seed: int = 1,
    started: bool = True,
) -> Health:
    """Changes of a server that follows ``schedule``, within ``horizon`` ms: it is healthy while all ``checks`` say so.

    ``started``: nginx has run for long when time begins, and the server is healthy. Else nginx starts at 0 ms, and what is down then is the first change.
    """
    histories = []
    for number, check in enumerate(checks):
        random = Random(f"{seed} {number}")
        backend = Backend(schedule, response, horizon)
        histories.append(tuple(_changes(check, backend, horizon, workers, random, started=started)))
    return histories[0] if len(histories) == 1 else _together(histories)


def longest_out(check: ActiveCheck, took: int = 0) -> int:
    """Ms from a failure until the server is out at the latest, where a failed probe takes ``took``."""
    return _gap(check, usual(check)) + (check.fails - 1) * _gap(check, took) + took


def longest_back(check: ActiveCheck, took: int = 0) -> int:
    """Ms from the recovery until the server is healthy at the latest, where a failed probe took ``took``."""
    good = usual(check)
    return _gap(check, took) + (check.passes - 1) * _gap(check, good) + good


def longest_start(check: ActiveCheck) -> int:
    """Ms from the start of nginx until servers that are well have requests at the latest."""
    if not check.starts_down:
        return 0
    good = usual(check)
    first = max(_LEAST_DELAY, check.interval) if check.name == MODULE else check.jitter
    return first + (check.passes - 1) * _gap(check, good) + good


def took(check: ActiveCheck, kind: str) -> int:
    """Ms after which a probe of a server that fails so (a kind of scenario) is over."""
    if kind == "blackhole":
        return min(check.connect, CONNECT_LIMIT_MS)
    return check.answer if kind in ("hang", "slow") and check.looks_at == "status" else 0


def usual(check: ActiveCheck) -> int:
    """Ms that a good probe is taken to take where nothing is known of the answers."""
    return _ANSWER if check.looks_at == "status" else 0


def _gap(check: ActiveCheck, took: int) -> int:
    """The longest time between the begins of two probes, of which the first took ``took``."""
    if check.name != MODULE:
        return max(1, took + check.interval + check.jitter)
    step = max(1, check.interval // 2)
    return max(1, -(-(check.interval + took) // step) * step)


def _changes(
    check: ActiveCheck, backend: Backend, horizon: int, workers: int, random: Random, *, started: bool
) -> Iterator[tuple[int, bool]]:
    healthy, failed, passed = True, 0, check.passes
    if not started and check.starts_down:
        healthy, passed = False, 0
        yield 0, False
    clock = _Module(check, workers, random, started=started) if check.name == MODULE else _Plus(check, random)
    at = clock.first(started=started)
    while at < horizon:
        if at >= backend.until:
            backend.advance(at)
        if at >= 0 and healthy and not failed and not backend.fails_later and _well(check, backend):
            return  # nothing can change any more
        good, lasts = probe(check, backend)
        failed, passed = (0, passed + 1) if good else (failed + 1, 0)
        end = at + lasts
        if healthy and failed >= check.fails:
            healthy = False
            yield max(0, end), False
        elif not healthy and passed >= check.passes:
            healthy = True
            yield max(0, end), True
        elif healthy == good:  # as it is, until the server behaves otherwise
            end += _skipped(_gap(check, lasts), min(backend.until, horizon) - end)
        at = clock.following(end)


def _skipped(gap: int, left: int) -> int:
    """Whole gaps in the time that is ``left``, but for the last ones."""
    return max(0, left // gap - 2) * gap


def _well(check: ActiveCheck, backend: Backend) -> bool:
    return backend.until == FOREVER and probe(check, backend)[0]


class _Plus:
    """When ``health_check`` probes one server."""

    def __init__(self, check: ActiveCheck, random: Random) -> None:
        self._check = check
        self._random = random

    def first(self, *, started: bool) -> int:
        """The first probe: at once after a start, else somewhere in an interval."""
        late = self._random.random() * self._check.jitter
        return int(self._random.random() * self._check.interval + late) if started else int(late)

    def following(self, end: int) -> int:
        """The next probe after one that ended at ``end``."""
        return end + max(1, self._check.interval + int(self._random.random() * self._check.jitter))


class _Module:
    """When ``check`` probes one server: the timers of all workers, and the time of the last result."""

    def __init__(self, check: ActiveCheck, workers: int, random: Random, *, started: bool) -> None:
        self._interval = check.interval
        self._step = max(1, check.interval // 2)
        within = max(_LEAST_DELAY, check.interval)
        past = -3 * within if started else 0
        self._offsets = [past + int(random.random() * within) for _ in range(workers)]

    def first(self, *, started: bool) -> int:
        """The first probe: with the first timer, as the last result counts as very old."""
        return min(self._offsets)

    def following(self, end: int) -> int:
        """The first timer that finds the result of ``end`` to be an interval old."""
        due = end + max(1, self._interval)
        return min(due + (offset - due) % self._step if due > offset else offset for offset in self._offsets)


def _together(histories: Sequence[Health]) -> Health:
    """Healthy while every check finds it so."""
    states = [True] * len(histories)
    moments = sorted((at, number, up) for number, each in enumerate(histories) for at, up in each)
    found: list[tuple[int, bool]] = []
    healthy = True
    for at, number, up in moments:
        states[number] = up
        if all(states) != healthy:
            healthy = not healthy
            found.append((at, healthy))
    return tuple(found)
