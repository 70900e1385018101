"""Which scenarios a group is put through, and for how long.

After 10 s in which nothing is wrong a fault lasts long enough to see the server out, probed twice, and the
longest timeout that matters: 2.5 times (``fail_timeout`` + 1 s) plus that timeout, within 30 s and 120 s; the half keeps
the end away from a probe. Afterwards it is watched for ``fail_timeout`` + 1 s and what clients wait, plus 10 s, within 20 s and 120 s. A rolling
restart takes every server in turn, primaries first as written, then backups. Where active checks or a slow start take longer, so does all
of this, up to 10 minutes each.

In a group of more than `MANY` servers, of those that are configured alike one stands for all: what happens is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.drill.behaviour import Behaviour, blackhole, flap, hang, refuse, slow, status
from nginxaudit.drill.kinds import KINDS
from nginxaudit.drill.load import Traffic
from nginxaudit.drill.probing import longest_back, longest_out, longest_start, took
from nginxaudit.drill.results import Fault, Scenario
from nginxaudit.drill.spec import ServerSpec, UpstreamSpec, Use
from nginxaudit.model.retries import CONNECT_LIMIT_MS

WARM_UP = 10_000
MANY = 8
_FAULT = (30_000, 120_000)
_AFTER = (20_000, 120_000)
_SLACK = 10_000
_LONGEST = 600_000  # for active checks
_FATAL = frozenset({"refuse", "hang", "blackhole", "5xx"})


def scenarios(
    group: UpstreamSpec, use: Use, load: Traffic, kinds: Iterable[str] | None = None
) -> tuple[Scenario, ...]:
    """Scenarios of these kinds (all by default) for one use of a group, kind by kind.

    Each kind is run for every live primary (see `MANY`), for every host with several live servers, and for all
    primaries. A backup alone is not failed: nobody would notice. ``5xx`` is left out for stream, where an answer is
    only bytes, and ``start`` where nothing is different then.
    """
    wanted = KINDS if kinds is None else tuple(kinds)
    unknown = set(wanted) - set(KINDS)
    if unknown:
        raise ValueError(f"unknown scenarios: {', '.join(sorted(unknown))}; known: {', '.join(KINDS)}")
    targets = tuple(_targets(group))
    found: list[Scenario] = []
    for kind in KINDS:
        if kind not in wanted or (kind == "5xx" and group.family == "stream"):
            continue
        if kind == "rolling":
            found.extend(_rolling(group, load))
        elif kind == "start":
            found.extend(_start(group))
        else:
            found.extend(_fault(kind, target, group, use, load) for target in targets)
    return tuple(found)


_Target = tuple[str, str, tuple[int, ...]]  # scope, words, indexes


def _targets(group: UpstreamSpec) -> Iterator[_Target]:
    seen: set[object] = set()
    many = len(group.servers) > MANY
    for target in (*_instances(group, group.primaries), *_hosts(group), *_primaries(group)):
        alike = (target[0], settings_of(group, target[2])) if many else target[2]
        if target[2] and alike not in seen:
            seen.add(alike)
            yield target


def fatal(group: UpstreamSpec, scenario: Scenario) -> bool:
    """Whether no server is left that could answer: then everything is lost, whatever is configured."""
    failing = {fault.server for fault in scenario.faults}
    left = any(not server.down and index not in failing for index, server in enumerate(group.servers))
    return scenario.kind in _FATAL and not left


def settings_of(group: UpstreamSpec, indexes: Iterable[int]) -> tuple[tuple[object, ...], ...]:
    """What distinguishes servers besides their addresses."""
    servers = (group.servers[index] for index in indexes)
    return tuple(
        sorted(
            (s.weight, s.max_fails, s.fail_timeout_s, s.max_conns, s.slow_start, s.backup) for s in servers
        )
    )


def _instances(group: UpstreamSpec, among: Iterable[ServerSpec]) -> Iterator[_Target]:
    """Each server; lines with the same address are one."""
    for name in dict.fromkeys(server.name for server in among if not server.down):
        yield "server", name, _indexes(group, {name})


def _hosts(group: UpstreamSpec) -> Iterator[_Target]:
    hosts: dict[str, set[str]] = {}
    for server in group.servers:
        if server.host and not server.down:
            hosts.setdefault(server.host, set()).add(server.name)
    for host, names in hosts.items():
        if len(names) > 1:
            yield "host", f"host {host}", _indexes(group, names)


def _primaries(group: UpstreamSpec) -> Iterator[_Target]:
    yield "primaries", "all primaries", _indexes(group, {s.name for s in group.primaries if not s.down})


def _indexes(group: UpstreamSpec, names: set[str]) -> tuple[int, ...]:
    return tuple(
        index for index, server in enumerate(group.servers) if server.name in names and not server.down
    )


def _fault(kind: str, target: _Target, group: UpstreamSpec, use: Use, load: Traffic) -> Scenario:
    scope, words, indexes = target
    window = (max(group.servers[index].fail_timeout_s for index in indexes) + 1) * 1000
    limit = _timeout(kind, group, use, load)
    end = WARM_UP + max(_within(5 * window // 2 + limit, _FAULT), _detected(kind, group))
    after = _recovered(kind, group, indexes)
    duration = end + max(_within(window + min(limit, load.client_timeout) + _SLACK, _AFTER), after)
    behaviour = behaviour_of(kind, load)
    faults = tuple(Fault(index, WARM_UP, end, behaviour) for index in indexes)
    return Scenario(kind, scope, words, faults, WARM_UP, end, duration)


def _detected(kind: str, group: UpstreamSpec) -> int:
    """Ms until active checks have taken a failing server out, and a bit."""
    times = (longest_out(check, took(check, kind)) for check in group.checks)
    return min(_LONGEST, max(times, default=-_SLACK) + _SLACK)


def _recovered(kind: str, group: UpstreamSpec, indexes: Iterable[int]) -> int:
    """Ms until active checks have found a server well, and it has its whole weight again, and a bit."""
    found = max((longest_back(check, took(check, kind)) for check in group.checks), default=0)
    slow = max(group.servers[index].slow_start for index in indexes)
    return min(_LONGEST, found + slow + _SLACK) if found or slow else 0


def _timeout(kind: str, group: UpstreamSpec, use: Use, load: Traffic) -> int:
    """The timeout in ms that ends an attempt in this scenario, 0 for none."""
    answer = use.read if group.family == "http" else use.idle
    return {
        "hang": answer,
        "blackhole": min(use.connect, CONNECT_LIMIT_MS),
        "slow": min(answer, load.slow_time),
    }.get(kind, 0)


def behaviour_of(kind: str, load: Traffic) -> Behaviour:
    """What a failing server does in a scenario of this kind."""
    return {
        "refuse": refuse(),
        "hang": hang(),
        "blackhole": blackhole(),
        "5xx": status(load.error_status),
        "slow": slow(load.slow_time),
        "flap": flap(load.flap_down, load.flap_up),
        "rolling": refuse(graceful=True),
    }[kind]


def _rolling(group: UpstreamSpec, load: Traffic) -> Iterator[Scenario]:
    faults: list[Fault] = []
    begin = WARM_UP
    for _, _, indexes in _instances(group, (*group.primaries, *group.backups)):
        fault = (begin, begin + load.restart, behaviour_of("rolling", load))
        faults.extend(Fault(index, *fault) for index in indexes)
        begin += load.restart + load.pause
    if faults:
        longest = max(group.servers[fault.server].fail_timeout_s for fault in faults)
        end = max(fault.end for fault in faults)
        back = _recovered("rolling", group, (fault.server for fault in faults))
        after = max(_within((longest + 1) * 1000 + _SLACK, _AFTER), back)
        yield Scenario("rolling", "rolling", "each in turn", tuple(faults), WARM_UP, end, end + after)


def _start(group: UpstreamSpec) -> Iterator[Scenario]:
    """The start of nginx, where active checks keep servers without requests at first."""
    longest = min(_LONGEST, max(map(longest_start, group.checks), default=0))
    if longest:
        yield Scenario("start", "start", "nginx", (), 0, longest, longest + _AFTER[0], starts=True)


def _within(value: int, bounds: tuple[int, int]) -> int:
    return max(bounds[0], min(bounds[1], value))
