"""Runs one scenario and turns its counters into an outcome."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from msgspec.structs import replace

from nginxaudit.drill.behaviour import Behaviour, ok
from nginxaudit.drill.load import Traffic, seconds
from nginxaudit.drill.results import Latency, Outcome, Scenario, ServerLoad, Timeline
from nginxaudit.drill.simulation import Simulation
from nginxaudit.drill.spec import UpstreamSpec, Use
from nginxaudit.drill.tally import ExceededError, Tally
from nginxaudit.nginx import NEWEST

_LONG = 3_600_000  # ms; stands for every timeout that nothing meets


def run(
    group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario, limit: int | None = None
) -> Outcome:
    """The outcome of ``scenario`` for one use of a group.

    Raises `ExceededError` as soon as more than ``limit`` requests are lost that need not be (`Outcome.avoidable`).
    """
    workers = load.workers or group.workers
    methods = (("POST", 1.0),) if use.protocol == "grpc" else load.methods  # every call is a POST there
    requests = load if methods == load.methods else replace(load, methods=methods)
    what = replace(scenario, kind="", scope="", target="")
    tally = _simulated(_bare(group, workers), _relevant(use, load, scenario), requests, what, limit)
    if tally is None:
        raise ExceededError
    return _outcome(group, load, scenario, tally, 1 if group.zone else workers)


@lru_cache(maxsize=512)
def _simulated(
    group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario, limit: int | None
) -> Tally | None:
    """The counters of a run; None for one that loses more than ``limit``. Equal runs are made once."""
    tally = Tally(len(group.servers), scenario.duration // 1000 + 1, scenario.begin, scenario.end)
    if limit is not None:
        tally.limit = limit
    simulation = Simulation(
        group,
        use,
        _schedules(scenario),
        tally,
        workers=group.workers,
        response=load.response_time,
        client_timeout=load.client_timeout,
        large_bodies=load.large_bodies,
        horizon=scenario.duration,
        seed=load.seed,
    )
    _watch(simulation, scenario, tally)
    try:
        simulation.run_seconds(seconds(load, scenario.duration, group.workers, group.key))
    except ExceededError:
        return None
    return tally


def _bare(group: UpstreamSpec, workers: int) -> UpstreamSpec:
    """What of a group decides a run: names do only where a ring is built of them."""
    named = group.method == "consistent"
    servers = tuple(
        replace(each, name=(each.text or each.name) if named else "", host="", text="")
        for each in group.servers
    )
    key = group.key if group.method in ("hash", "consistent") else ""
    version = group.version if any(each.down for each in servers) else NEWEST  # only tries ask for it
    return replace(
        group, name="", servers=servers, key=key, workers=workers, version=version, file="", line=0, notes=()
    )


def _relevant(use: Use, load: Traffic, scenario: Scenario) -> Use:
    """What of a use decides a run: timeouts do only where something may take so long."""
    kinds = {fault.behaviour.kind for fault in scenario.faults}
    waits = bool(kinds & {"hang", "blackhole"})
    slowest = max([load.response_time, *(fault.behaviour.ms for fault in scenario.faults)])
    long = _LONG if not waits else None
    return replace(
        use,
        label="",
        file="",
        line=0,
        prefix="",
        protocol="",
        written=frozenset(),
        connect=long or use.connect,
        send=long or use.send,
        read=long if long and slowest <= use.read else use.read,
        idle=long if long and slowest <= use.idle and not use.udp else use.idle,
    )


def _schedules(scenario: Scenario) -> dict[int, list[tuple[int, Behaviour]]]:
    found: dict[int, list[tuple[int, Behaviour]]] = {}
    for fault in scenario.faults:
        found.setdefault(fault.server, []).extend(((fault.begin, fault.behaviour), (fault.end, ok())))
    return found


def _watch(simulation: Simulation, scenario: Scenario, tally: Tally) -> None:
    windows = {fault.server: (fault.begin, fault.end) for fault in scenario.faults}
    for state in simulation.states:
        lists = (state, state.backups) if state.backups else (state,)
        for peers in lists:
            for peer in peers.all:
                if peer.index in windows:
                    tally.watch(peer, *windows[peer.index])


def _outcome(group: UpstreamSpec, load: Traffic, scenario: Scenario, tally: Tally, states: int) -> Outcome:
    servers = tuple(_servers(group, scenario, tally, states))
    failing = [each for each in servers if each.target and each.before > 0]
    overloads = [each.overload for each in servers if not each.target and each.overload is not None]
    return Outcome(
        requests=sum(tally.requests),
        ok=sum(tally.ok),
        failed=sum(tally.failed),
        gave_up=sum(tally.gave_up),
        by_status=dict(sorted(tally.statuses.items())),
        retried=sum(tally.retried),
        lonely=tally.lonely,
        broken=tally.broken,
        died=tally.died,
        latency=_latency(tally.waited, load.response_time),
        left=_longest([each.left for each in failing]),
        back=_longest([each.back for each in failing if each.left is not None or each.back is not None]),
        backups_served=any(each.backup and each.attempts for each in servers),
        survivor_overload=max(overloads, default=None),
        servers=servers,
        timeline=_timeline(group, tally),
    )


def _longest(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None


def _servers(group: UpstreamSpec, scenario: Scenario, tally: Tally, states: int) -> list[ServerLoad]:
    begin, end, stop = scenario.begin // 1000, scenario.end // 1000, tally.seconds
    spans = ((0, begin), (begin, end), (end, stop))
    windows = {fault.server: (fault.begin, fault.end) for fault in scenario.faults}
    counts = [[_sum(each, *span) for span in spans] for each in tally.contacts]
    totals = [sum(each[span] for each in counts) or 1 for span in range(3)]
    went = {index for index, _ in tally.out}  # what was never unavailable is not back, either
    found = []
    for index, server in enumerate(group.servers):
        before, during, after = counts[index]
        window = windows.get(index)
        pace = before / max(1, begin)
        found.append(
            ServerLoad(
                server=server.name,
                backup=server.backup,
                target=window is not None,
                attempts=sum(tally.contacts[index].values()),
                before=before / totals[0],
                during=during / totals[1],
                after=after / totals[2],
                overload=round(during / max(1, end - begin) / pace, 3) if pace else None,
                left=_since(tally.out, index, window[0], states) if window else None,
                back=_since(tally.back, index, window[1], states) if window and index in went else None,
            )
        )
    return found


def _sum(counts: dict[int, int], begin: int, end: int) -> int:
    return sum(count for second, count in counts.items() if begin <= second < end)


def _since(moments: dict[tuple[int, int], int], index: int, start: int, states: int) -> int | None:
    """Time in ms from ``start`` until the last state has it; None when one never has."""
    known = [moment for (server, _), moment in moments.items() if server == index]
    return max(known) - start if len(known) == states else None


def _latency(waited: dict[int, int], usual: int) -> Latency:
    total = sum(waited.values())
    if not total:
        return Latency(0, 0, 0)
    ordered = sorted(waited.items())

    def rank(share: float) -> int:
        wanted, seen = share * total, 0
        for wait, count in ordered:
            seen += count
            if seen >= wanted:
                return max(0, wait - usual)
        return max(0, ordered[-1][0] - usual)

    return Latency(rank(0.5), rank(0.99), max(0, ordered[-1][0] - usual))


def _timeline(group: UpstreamSpec, tally: Tally) -> Timeline:
    attempts: dict[str, list[int]] = {}
    for index, server in enumerate(group.servers):  # an address that is listed twice is one line
        line = attempts.setdefault(server.name, [0] * tally.seconds)
        for second, count in tally.contacts[index].items():
            if second < tally.seconds:
                line[second] += count
    return Timeline(
        tuple(tally.ok),
        tuple(tally.failed),
        tuple(tally.gave_up),
        tuple(tally.retried),
        {name: tuple(line) for name, line in attempts.items()},
    )
