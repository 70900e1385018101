"""Timelines as inline SVG: what became of requests, and the traffic of each server, over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from nginxaudit.drill.results import Result
from nginxaudit.drill.spec import UpstreamSpec
from nginxaudit.report.masked import veiled
from nginxaudit.report.sanitize import visible
from nginxaudit.views.drill.view import down_times, servers_shown, traffic_top
from nginxaudit.views.drill.words import moment, server_name

_LEFT, _WIDTH, _RIGHT = 216, 670, 64
_LONGEST = 27  # characters of a name
_HIGH, _LOW, _GAP = 84, 26, 6
_MOST_LANES = 24  # servers drawn; a larger group is not read from a picture
_TICKS = (5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)  # seconds


def chart(result: Result, group: UpstreamSpec) -> str:
    """The picture of one scenario."""
    names = servers_shown(result, group, _MOST_LANES)
    bottom = _HIGH + _GAP + len(names) * (_LOW + _GAP)
    height = bottom + 24
    body = [*_requests(result), *_axis(result, bottom)]
    for number, name in enumerate(names):
        body.extend(_lane(result, group, name, _HIGH + _GAP + number * (_LOW + _GAP)))
    label = escape(f"{_seen(result.scenario.name)}: {result.outcome.lost} of {result.outcome.requests} lost")
    return (
        f'<svg viewBox="0 0 {_LEFT + _WIDTH + _RIGHT} {height}" role="img" aria-label="{label}">'
        f"{''.join(body)}</svg>"
    )


def _seen(text: str) -> str:
    return visible(veiled(text))


def _requests(result: Result) -> Iterator[str]:
    """A stack per second: answered, failed, given up; retried as a line."""
    line = result.outcome.timeline
    seconds = _seconds(result)
    top = _top(result)
    begin, end = (_x(moment, result) for moment in (result.scenario.begin, result.scenario.end))
    yield f'<rect class="fault" x="{begin:.1f}" y="0" width="{end - begin:.1f}" height="{_HIGH}"/>'
    lower: list[float] = [0.0] * seconds
    for name, values in (("ok", line.ok), ("failed", line.failed), ("gaveup", line.gave_up)):
        upper = [low + value for low, value in zip(lower, values[:seconds], strict=True)]
        if any(values):
            yield f'<path class="{name}" d="{_area(lower, upper, top, 0, _HIGH, result)}"/>'
        lower = upper
    if any(line.retried):
        yield f'<path class="retried" d="{_area([0.0] * seconds, line.retried[:seconds], top, 0, _HIGH, result)}"/>'
    yield f'<text class="name" x="{_LEFT - 10}" y="14">requests/s</text>'
    yield f'<text class="name soft" x="{_LEFT - 10}" y="32">up to {top}</text>'
    yield f'<text class="total" x="{_LEFT + _WIDTH + 8}" y="14">{result.outcome.requests}</text>'


def _lane(result: Result, group: UpstreamSpec, name: str, y: float) -> Iterator[str]:
    """The attempts at one server, its failures shaded; all lanes have one scale."""
    values = result.outcome.timeline.attempts.get(name, ())
    seconds = _seconds(result)
    busiest = max(max(each[:seconds], default=0) for each in result.outcome.timeline.attempts.values())
    top = traffic_top(_top(result), busiest)
    backup = any(server.backup for server in group.servers if server.name == name)
    for index, server in enumerate(group.servers):
        if server.name == name:
            for begin, end in down_times(result.scenario, index):
                x, width = _x(begin, result), _x(end, result) - _x(begin, result)
                yield f'<rect class="fault" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_LOW}"/>'
    capped = [min(value, top) for value in values[:seconds]]
    if any(capped):
        path = _area([0.0] * len(capped), capped, top, y, _LOW, result)
        yield f'<path class="{"backup" if backup else "server"}" d="{path}"/>'
    full = _seen(server_name(group, name))
    short = full if len(full) <= _LONGEST else f"{full[: _LONGEST - 1]}…"
    yield f'<text class="name" x="{_LEFT - 10}" y="{y + 17}">{escape(short)}<title>{escape(full)}</title></text>'
    yield f'<text class="total" x="{_LEFT + _WIDTH + 8}" y="{y + 17}">{sum(values)}</text>'
    yield f'<line class="rule" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y + _LOW}" y2="{y + _LOW}"/>'


def _axis(result: Result, y: float) -> Iterator[str]:
    length = result.scenario.duration / 1000
    step = next((tick for tick in _TICKS if length / tick <= 10), 7200)
    at = 0
    while at <= length:
        x = _x(at * 1000, result)
        yield f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{y}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{y + 16}">{moment(at * 1000).replace(".0s", "s") if at else "0"}</text>'
        at += step


def _top(result: Result) -> int:
    """The most requests that came in a second."""
    line = result.outcome.timeline
    return max((sum(each) for each in zip(line.ok, line.failed, line.gave_up, strict=True)), default=1) or 1


def _seconds(result: Result) -> int:
    return max(1, result.scenario.duration // 1000)


def _x(ms: float, result: Result) -> float:
    return _LEFT + _WIDTH * ms / max(1, result.scenario.duration)


def _area(
    lower: Sequence[float], upper: Sequence[float], top: float, y: float, height: float, result: Result
) -> str:
    """A path in steps, second by second; runs of equal values are one step."""

    def side(values: Sequence[float]) -> list[tuple[float, float]]:
        points: list[tuple[float, float]] = []
        for second, value in enumerate(values):
            level = y + height - height * value / top
            if second and value == values[second - 1]:
                points.pop()
            else:
                points.append((_x(second * 1000, result), level))
            points.append((_x((second + 1) * 1000, result), level))
        return points

    points = side(upper) + side(lower)[::-1]
    return "M" + "L".join(f"{x:.1f} {level:.1f}" for x, level in points) + "Z"
