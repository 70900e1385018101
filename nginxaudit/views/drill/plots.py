"""Timelines in characters: one line per count, a cell for some seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from nginxaudit.drill.results import Result
from nginxaudit.drill.spec import UpstreamSpec
from nginxaudit.views.drill.view import down_times, servers_shown, traffic_top
from nginxaudit.views.drill.words import moment, server_name

BLOCKS = " ▁▂▃▄▅▆▇█"
PLAIN = " .:-=+*%#"
"""Levels for an output that has no block characters."""
MOST_SERVERS = 12
"""Servers that have a line of their own."""


class Row(Struct, frozen=True):
    """One line of a plot: its name, cells of one character each, and what stands behind them.

    ``marks`` are the cells in which the server fails; ``kind`` is ``ok``, ``failed``, ``gave up``, ``retried`` or ``server``.
    """

    name: str
    cells: str
    total: str
    kind: str
    marks: frozenset[int] = frozenset()


def buckets(values: Sequence[int], cells: int) -> list[float]:
    """``values`` (one per second) as ``cells`` means."""
    found = []
    for cell in range(cells):
        first = cell * len(values) // cells
        last = max(first + 1, (cell + 1) * len(values) // cells)
        found.append(sum(values[first:last]) / (last - first))
    return found


def levels(values: Sequence[float], top: float, ramp: str) -> str:
    """A character per value; only nothing at all is blank."""
    most = len(ramp) - 1
    return "".join(ramp[0 if not v else max(1, min(most, round(v / top * most)))] for v in values)


def small(result: Result, cells: int, ramp: str) -> str:
    """What is lost over time, in one line."""
    line = result.outcome.timeline
    lost = [failed + gave_up for failed, gave_up in zip(line.failed, line.gave_up, strict=True)]
    return levels(buckets(_whole(lost, result), cells), _top(result), ramp)


def plot(result: Result, group: UpstreamSpec, cells: int, ramp: str) -> Iterator[Row]:
    """The lines of one scenario: requests answered, lost and retried, then the traffic of each server.

    A full cell is what comes in.
    """
    outcome = result.outcome
    line = outcome.timeline
    counts = {
        "ok": (line.ok, outcome.ok),
        "failed": (line.failed, outcome.failed),
        "gave up": (line.gave_up, outcome.gave_up),
        "retried": (line.retried, outcome.retried),
    }
    means = {name: buckets(_whole(values, result), cells) for name, (values, _) in counts.items()}
    top = _top(result)
    for name, (_, total) in counts.items():
        if total or name == "ok":
            yield Row(name, levels(means[name], top, ramp), str(total), name)
    yield from _servers(result, group, cells, ramp)


def _servers(result: Result, group: UpstreamSpec, cells: int, ramp: str) -> Iterator[Row]:
    """The traffic of servers; where none of many gets much of it, to a scale of their own."""
    attempts = result.outcome.timeline.attempts
    traffic = {name: buckets(_whole(values, result), cells) for name, values in attempts.items()}
    top = traffic_top(_top(result), max(map(max, traffic.values())))
    names = servers_shown(result, group, MOST_SERVERS)
    for name in names:
        marks = _marks(result, group, name, cells)
        total = str(sum(attempts[name]))
        yield Row(server_name(group, name), levels(traffic[name], top, ramp), total, "server", marks)
    if len(names) < len(attempts):
        more = sum(sum(values) for name, values in attempts.items() if name not in names)
        yield Row(f"{len(attempts) - len(names)} more", " " * cells, str(more), "server")


def axis(result: Result, cells: int, *, plain: bool) -> str:
    """The line below a plot: when something fails."""
    bars = "-=" if plain else "─━"
    scenario = result.scenario
    marked = {
        cell for fault in scenario.faults for cell in _cells(fault.begin, fault.end, scenario.duration, cells)
    }
    return "".join(bars[cell in marked] for cell in range(cells))


def labels(result: Result, cells: int) -> str:
    """The moments below the axis: begin and end of the faults, and of the drill."""
    scenario = result.scenario
    text = [" "] * cells
    for at in (0, scenario.duration, scenario.begin, scenario.end):
        label = "0" if at == 0 else moment(at).replace(".0s", "s")
        start = min(at * cells // max(1, scenario.duration), cells - len(label))
        around = range(max(0, start - 1), min(cells, start + len(label) + 1))
        if start >= 0 and all(text[each] == " " for each in around):
            text[start : start + len(label)] = label
    return "".join(text).rstrip()


def _top(result: Result) -> float:
    """Requests per second of the drill: mean, as their seconds differ by one."""
    return max(0.001, result.outcome.requests * 1000 / max(1, result.scenario.duration))


def _whole(values: Sequence[int], result: Result) -> Sequence[int]:
    """The seconds in which requests come; what ends later is left out."""
    return values[: max(1, result.scenario.duration // 1000)]


def _marks(result: Result, group: UpstreamSpec, server: str, cells: int) -> frozenset[int]:
    found: set[int] = set()
    for index, each in enumerate(group.servers):
        if each.name == server:
            for begin, end in down_times(result.scenario, index):
                found.update(_cells(begin, end, result.scenario.duration, cells))
    return frozenset(found)


def _cells(begin: int, end: int, duration: int, cells: int) -> range:
    width = max(1, duration)
    return range(begin * cells // width, max(begin * cells // width + 1, end * cells // width))
