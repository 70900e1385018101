"""Runs one scenario and turns its counters into an outcome."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from nginxaudit.drill.alike import decisive
from nginxaudit.drill.behaviour import Behaviour, ok
from nginxaudit.drill.extended import simulation_of
from nginxaudit.drill.load import Traffic, how_many, is_kept, seconds
from nginxaudit.drill.results import Latency, Outcome, Scenario, ServerLoad, Timeline
from nginxaudit.drill.simulation import Simulation
from nginxaudit.drill.spec import UpstreamSpec, Use
from nginxaudit.drill.tally import ExceededError, Tally

_RANDOM = frozenset({"random", "random_two"})
_RUNS = 1 << 14  # whose losses are remembered


class Losses(Struct, frozen=True):
    """What a run loses, and how much of it can be blamed on the configuration (as in `Outcome`)."""

    lost: int
    avoidable: int


class _Known:
    """What is known of the losses of a run: the numbers, or that more than ``beyond`` are avoidable."""

    __slots__ = ("beyond", "losses")

    def __init__(self) -> None:
        self.losses: Losses | None = None
        self.beyond = -1


def run(
    group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario, *, losses_only: bool = False
) -> Outcome:
    """The outcome of ``scenario`` for one use of a group.

    With ``losses_only``, which is quicker, the numbers are those of the requests that are lost; the others are not counted to the end.
    """
    states = 1 if group.zone else load.workers or group.workers
    tally = _counted(*decisive(group, use, load, scenario), losses_only=losses_only)
    return _outcome(group, load, scenario, tally, states)


def losses(
    group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario, limit: int | None = None
) -> Losses:
    """What ``scenario`` loses; equal runs are made once.

    Raises `ExceededError` as soon as more than ``limit`` requests are lost that need not be (`Outcome.avoidable`).
    """
    same = decisive(group, use, load, scenario)
    known = _known(*same)
    if known.losses is None:
        if limit is not None and known.beyond >= limit:
            raise ExceededError
        try:
            tally = _simulated(*same, limit, losses_only=True)
        except ExceededError:
            assert limit is not None
            known.beyond = limit
            raise
        known.losses = Losses(sum(tally.failed) + sum(tally.gave_up), tally.avoidable)
    if limit is not None and known.losses.avoidable > limit:
        raise ExceededError
    return known.losses


@lru_cache(maxsize=_RUNS)
def _known(group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario) -> _Known:
    return _Known()


@lru_cache(maxsize=512)
def _counted(group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario, *, losses_only: bool) -> Tally:
    """The counters of a run. Equal runs are made once."""
    return _simulated(group, use, load, scenario, None, losses_only=losses_only)


def _simulated(
    group: UpstreamSpec, use: Use, load: Traffic, scenario: Scenario, limit: int | None, *, losses_only: bool
) -> Tally:
    tally = Tally(len(group.servers), scenario.duration // 1000 + 1, scenario.begin, scenario.end)
    if limit is not None:
        tally.limit = limit
    more: dict[str, Any] = {"started": False} if scenario.starts else {}
    schedules = _schedules(scenario)
    for worker in _apart(group, load, scenario):
        simulation = simulation_of(group)(
            group,
            use,
            schedules,
            tally,
            workers=group.workers,
            response=load.response_time,
            client_timeout=load.client_timeout,
            large_bodies=load.large_bodies,
            horizon=scenario.duration,
            seed=load.seed,
            worker=worker,
            **more,
        )
        _watch(simulation, scenario, tally)
        simulation.run_seconds(
            seconds(load, scenario.duration, group.workers, group.key, worker), losses_only=losses_only
        )
    return tally


def _apart(group: UpstreamSpec, load: Traffic, scenario: Scenario) -> Sequence[int | None]:
    """Workers that can be simulated one after the other: they share neither state nor chance. None is all together."""
    together = group.extended or group.zone or group.method in _RANDOM or not is_kept(load, scenario.duration)
    return (None,) if together else range(group.workers)


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
        requests=how_many(load, scenario.duration),
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
        moved=tally.moved,
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
                attempts=before
                + during
                + after,  # what comes after the last second is in no timeline, either
                before=before / totals[0],
                during=during / totals[1],
                after=after / totals[2],
                overload=round(during / max(1, end - begin) / pace, 3) if pace else None,
                left=_since(tally.out, index, window[0], states) if window else None,
                back=_since(tally.back, index, window[1], states) if window and index in went else None,
                by_check=index in tally.by_checks,
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
