"""One schedule of requests given to a running nginx and to the simulator, and what both make of it.

Both read the same configuration and follow the same schedules. nginx accounts in whole seconds of the wall clock, so
a schedule begins with one (or passes within one), and the times in it keep away from the edges. A run that the machine was too busy for (something
came more than `LATE_MS` after its time) proves nothing and is repeated; one that was in time decides.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from nginxaudit.drill.behaviour import Schedule
from nginxaudit.drill.load import Call
from nginxaudit.drill.reading import subjects
from nginxaudit.drill.replay import replay
from nginxaudit.drill.spec import Subject, UpstreamSpec
from nginxaudit.drill.tally import Traced
from nginxaudit.nginx import Target
from tests.live.drill_backends import Actor, acting, now_ms, until
from tests.model.model_support import model_of
from tests.support import nginx

LATE_MS = 120
"""A change of a backend that comes later than this spoils a run, and so does a request (of many, one in twenty)."""
PUNCTUAL_MS = 15
"""A run in which nothing is later than this decides; one that is later may be repeated, because requests came together."""
MOST = 0.95
"""Share of requests that must be in time where only counts are compared."""
DURATION_MS = 150
"""Tolerance in the time that a request takes."""
_ATTEMPTS = 3
_APART_MS = 20
_LASTING = ("hang", "blackhole", "flap")
_COOKIE = re.compile(r"^Set-Cookie: (\w+)=(\w+)", re.MULTILINE)
_FORMAT = "$pid|$upstream_addr|{upstream_status}|$status|$msec|{time}"


def gets(*times: int, method: str = "GET") -> tuple[Call, ...]:
    """Requests at these times (ms)."""
    return tuple(Call(at, method) for at in times)


def burst(start: int, number: int, step: int = 40, *, method: str = "GET") -> tuple[Call, ...]:
    """``number`` requests, ``step`` ms apart."""
    return gets(*range(start, start + number * step, step), method=method)


@dataclass(frozen=True)
class Case:
    """What is run. ``servers`` is the content of ``upstream``, where ``{A}`` stands for the address of backend A.

    ``location`` is added to the location (the server of stream), ``does`` are the schedules by backend, ``shows`` are
    what some request must look like: a case in which nothing happens shows nothing. ``response`` and ``patience`` (0:
    for ever) are ms. ``in_turn``: each request waits for the answer to the one before it, so that none is on its way while
    nginx learns of a failure; when they are sent does not matter then.
    """

    name: str
    servers: str
    calls: tuple[Call, ...]
    shows: tuple[str, ...]
    does: Mapping[str, Schedule] = field(default_factory=dict)
    location: str = ""
    family: str = "http"
    workers: int = 1
    response: int = 2
    patience: int = 0
    in_turn: bool = False

    @property
    def backends(self) -> list[str]:
        """Names of the backends in ``servers``."""
        return sorted(set(re.findall(r"\{(\w+)\}", self.servers)))


Texts = Callable[[Case, int, Mapping[str, str], Path], tuple[str, str]]
"""Makes the content of the http block, and what stands beside it, for a case, the port of nginx, the addresses of the
backends and a directory for the log."""


@dataclass(frozen=True)
class Entry:
    """One request as nginx logged it: worker's pid, attempts (name and status), status, begin and end (ms)."""

    pid: int
    attempts: tuple[tuple[str, str], ...]
    status: int
    begin: float
    end: float


@dataclass(frozen=True)
class Run:
    """Both sides of one run, in order of the calls; and how late (ms) changes and requests were."""

    group: UpstreamSpec
    entries: tuple[Entry, ...]
    traced: tuple[Traced, ...]
    names: Mapping[str, str]
    changed: float
    delays: tuple[float, ...]

    def late(self, share: float = 1) -> float:
        """The worst delay in ms of a change of a backend, and of this share of the requests, the quick ones."""
        ordered = sorted(self.delays)
        return max(self.changed, ordered[max(0, int(len(ordered) * share) - 1)])

    def measured(self) -> list[str]:
        """nginx's requests as lines: ``A 502, B 200 => 200``."""
        return [self._line(each.attempts, each.status) for each in self.entries]

    def predicted(self) -> list[str]:
        """The simulator's requests as lines."""
        return [self._line(self._attempts(each), self._logged_status(each)) for each in self.traced]

    def _logged_status(self, traced: Traced) -> int:
        """The status in the log: nginx does not know of every client that has left, and stream logs that as a good end."""
        if traced.status != 499:
            return traced.status
        last = traced.attempts[-1].status
        return last or (200 if self.group.family == "stream" else 499)

    def _attempts(self, traced: Traced) -> tuple[tuple[str, str], ...]:
        servers = self.group.servers
        http = self.group.family == "http"
        found = []
        for each in traced.attempts:
            name = self.names[servers[each.server].name] if each.server >= 0 else "none"
            status = str(each.status) if each.status else "-"
            found.append((name, status if http else ""))
        return tuple(found)

    @staticmethod
    def _line(attempts: Sequence[tuple[str, str]], status: int) -> str:
        return f"{', '.join(f'{name} {code}'.strip() for name, code in attempts)} => {status}"

    def decides(self) -> bool:
        """Whether everything was in time, and a difference cannot come from what was a little late."""
        in_time = self.late() <= LATE_MS and self.slowest_difference() <= DURATION_MS
        return in_time and (self.late() <= PUNCTUAL_MS or self.measured() == self.predicted())

    def slowest_difference(self) -> float:
        """The largest difference between measured and predicted durations, in ms."""
        pairs = zip(self.entries, self.traced, strict=True)
        return max(abs((entry.end - entry.begin) - (traced.end - traced.at)) for entry, traced in pairs)


def check(case: Case, directory: Path) -> Run:
    """Run ``case`` until the machine was quick enough; every request must be as predicted."""
    run = asyncio.run(in_time(case, directory, group_texts))
    measured, predicted = run.measured(), run.predicted()
    difference = "\n".join(
        f"{call.at:6} ms {call.method:5} nginx: {one:40} simulated: {two}{'' if one == two else '   <<<'}"
        for call, one, two in zip(_ordered(case.calls), measured, predicted, strict=True)
    )
    if measured != predicted:
        skip_if_late(run)
    assert measured == predicted, f"\n{difference}"
    assert run.slowest_difference() <= DURATION_MS, f"\n{difference}"
    for wanted in case.shows:
        assert any(wanted in line for line in measured), f"no request shows {wanted!r}\n{difference}"
    return run


def count(case: Case, directory: Path) -> tuple[Counter[str], Counter[str]]:
    """How often nginx and the simulator have each line, where chance decides about the single request."""
    run = asyncio.run(in_time(case, directory, group_texts, by_request=False))
    measured = Counter(run.measured())
    skip_if_late(run, MOST)
    for wanted in case.shows:
        assert any(wanted in line for line in measured), f"no request shows {wanted!r}: {measured}"
    return measured, Counter(run.predicted())


def skip_if_late(run: Run, share: float = 1) -> None:
    """Nothing is proved by a run in which things came so late that they meant something else."""
    if run.late(share) > LATE_MS:
        pytest.skip(
            f"this machine is too busy: {run.late(share):.0f} ms late in the last of {_ATTEMPTS} runs"
        )


async def in_time(case: Case, directory: Path, texts: Texts, *, by_request: bool = True) -> Run:
    """The first run that was in time, else the last; not ``by_request``: only counts will be compared."""
    for attempt in range(_ATTEMPTS):
        own = directory / str(attempt)
        own.mkdir()
        found = await run_once(case, own, texts)
        if by_request and found.decides():
            break
        if not by_request and found.late(MOST) <= LATE_MS:
            break
    return found


async def run_once(case: Case, directory: Path, texts: Texts) -> Run:
    """One run of ``case``, measured and predicted."""
    async with acting(case.backends, case.response) as actors:
        (port,) = nginx.free_ports(1)
        names = {f"127.0.0.1:{actor.port}": name for name, actor in actors.items()}
        addresses = {name: address for address, name in names.items()}
        http, main = texts(case, port, addresses, directory)
        with nginx.running(directory, http, workers=case.workers, main=main):
            subject = subject_of(
                (directory / "nginx.conf").read_text(), nginx.version(), nginx.judge().edition
            )
            origin = _origin(case)
            sent = await _perform(case, port, actors, origin)
            changed = max(actor.late for actor in actors.values())
            entries = await _logged(case, directory / "drill.log", names, origin)
    logged = (abs(entry.begin - call.at) for call, entry in zip(_ordered(case.calls), entries, strict=True))
    delays = (0.0,) if case.in_turn else tuple(map(max, sent, logged))
    phase = int(origin % 1000)
    assert subject.group is not None and subject.use is not None, subject.why_not
    traced = replay(
        subject.group,
        subject.use,
        _with_workers(case, entries, phase),
        {
            address: [(start + phase, does) for start, does in case.does[name]]
            for address, name in names.items()
            if name in case.does
        },
        workers=case.workers,
        response=case.response,
        client_timeout=case.patience,
    )
    return Run(subject.group, entries, traced, names, changed, delays)


def group_texts(case: Case, port: int, addresses: Mapping[str, str], directory: Path) -> tuple[str, str]:
    """The `Texts` of a group and one server."""
    group = f"upstream app {{ {case.servers.format(**addresses)} }}"
    listen = f"listen 127.0.0.1:{port}{' reuseport' if case.workers > 1 else ''};"
    log = log_lines(case.family, directory)
    if case.family == "stream":
        return "", f"stream {{ {log} {group}\nserver {{ {listen} proxy_pass app; {case.location} }} }}"
    location = f"location / {{ proxy_pass http://app; {case.location} }}"
    return f"{log} {group}\nserver {{ {listen} {location} }}", ""


def log_lines(family: str, directory: Path) -> str:
    """Directives that write the log of a run."""
    if family == "stream":
        form = "|" + _FORMAT.format(upstream_status="", time="$session_time")
    else:
        form = "$arg_n|" + _FORMAT.format(upstream_status="$upstream_status", time="$request_time")
    return f"log_format drill '{form}'; access_log {directory}/drill.log drill;"


def subject_of(text: str, version: tuple[int, int, int], edition: str = "oss") -> Subject:
    """What nginxaudit reads out of the configuration, for this nginx."""
    (found,) = subjects(model_of(text, target=Target(version, edition)))
    return found


async def _perform(case: Case, port: int, actors: Mapping[str, Actor], origin: float) -> list[float]:
    """Let backends and clients act; how late (ms) each request was sent."""
    acts = [asyncio.create_task(actors[name].act(script, origin)) for name, script in case.does.items()]
    jar: Jar = {}
    clients = [
        ask(port, number, call, origin, case.patience, jar)
        for number, call in enumerate(_ordered(case.calls))
    ]
    if case.in_turn:
        delays = [await client for client in clients]
    else:
        delays = await asyncio.gather(*clients)
    for act in acts:
        if act.done():
            act.result()
        act.cancel()
    await asyncio.gather(*acts, return_exceptions=True)
    return delays


def _ordered(calls: Sequence[Call]) -> list[Call]:
    return sorted(calls, key=lambda call: call.at)


Jar = dict[str, dict[str, str]]
"""Cookies by client, which is the key of its requests."""


async def ask(port: int, number: int, call: Call, origin: float, patience: int, jar: Jar) -> float:
    """Send one request at its time, on a connection of its own, and read the answer; how late it was sent (ms)."""
    late = await until(origin + call.at)
    source = (call.address, 0) if call.address.startswith("127.") else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source)
    body = "hi" if call.method in ("POST", "PUT", "PATCH") else ""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    own = jar.setdefault(call.key, {})
    cookies = f"Cookie: {'; '.join(map('='.join, own.items()))}\r\n" if own else ""
    head = f"Host: a\r\nConnection: close\r\n{length}{cookies}"
    request = f"{call.method} /?n={number}&k={call.key} HTTP/1.1\r\n{head}\r\n"
    try:
        writer.write(request.encode())
        if call.method == "PUT":
            await asyncio.sleep(
                _APART_MS / 1000
            )  # nginx takes a body that comes with the header for buffered
        writer.write(body.encode())
        answer = await asyncio.wait_for(reader.read(-1), patience / 1000 or 30)
        own.update(_COOKIE.findall(answer.decode()))
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return late


async def _logged(case: Case, log: Path, names: Mapping[str, str], origin: float) -> tuple[Entry, ...]:
    """The entries of all calls, in their order, as soon as the last is written."""
    for _ in range(200):
        lines = log.read_text().splitlines()
        if len(lines) >= len(case.calls):
            break
        await asyncio.sleep(0.02)
    assert len(lines) == len(case.calls), f"{len(lines)} of {len(case.calls)} requests are in the log"
    entries = [(line.partition("|")[0], _entry(line, names, origin)) for line in lines]
    if case.family == "stream":
        return tuple(sorted((entry for _, entry in entries), key=lambda entry: entry.begin))
    return tuple(entry for _, entry in sorted(entries, key=lambda each: int(each[0])))


def _entry(line: str, names: Mapping[str, str], origin: float) -> Entry:
    _, pid, addresses, statuses, status, end, lasted = line.split("|")
    peers = [names.get(each, "none") for each in addresses.split(", ")]
    codes = statuses.split(", ") if statuses else [""] * len(peers)
    ended = float(end) * 1000 - origin
    return Entry(
        int(pid), tuple(zip(peers, codes, strict=True)), int(status), ended - float(lasted) * 1000, ended
    )


def _origin(case: Case) -> float:
    """When to begin (ms): at once if all of a short case fits into this second, else with the next one."""
    now = int(now_ms())
    behaviours = [each for script in case.does.values() for each in script]
    short = all(start == 0 and does.ms < 0 and does.kind not in _LASTING for start, does in behaviours)
    last = max(call.at for call in case.calls)
    return now if short and now % 1000 + last < 1000 - LATE_MS - _APART_MS else (now // 1000 + 1) * 1000


def _with_workers(case: Case, entries: Sequence[Entry], phase: int) -> list[Call]:
    """The calls with the workers that the kernel chose for them, ``phase`` ms later."""
    known: dict[int, int] = {}
    calls = []
    for call, entry in zip(_ordered(case.calls), entries, strict=True):
        calls.append(replace(call, at=call.at + phase, worker=known.setdefault(entry.pid, len(known))))
    return calls
