"""Traces for a terminal: the steps with their places and reasons, then the outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from nginxaudit.report.masked import veiled
from nginxaudit.report.paint import Line, paint, wants_color
from nginxaudit.report.sanitize import visible
from nginxaudit.request.showing import sent
from nginxaudit.views.trace.view import ShownOutcome, ShownStep, TraceView, Way
from nginxaudit.views.trace.words import summary

_WIDTH = 100


def write(views: Iterable[TraceView], stream: TextIO, color: bool | None) -> None:
    """Write all traces, one after the other."""
    paint(_lines(views), stream, color=wants_color(stream, color), width=_WIDTH)


def _lines(views: Iterable[TraceView]) -> Iterator[Line]:
    for number, view in enumerate(views):
        if number:
            yield []
        yield [(visible(view.title), "strong")]
        width = min(max((len(step.place) for step in _steps(view.way)), default=0), 36)
        yield from _way(view.way, width, "  ")
        yield from _outcomes(view, width)


def _steps(way: Way) -> Iterator[ShownStep]:
    yield from way.steps
    for each in way.ways:
        yield from _steps(each)


def _way(way: Way, width: int, indent: str) -> Iterator[Line]:
    for step in way.steps:
        place = _cut(step.place, width)
        yield [
            (f"{indent}{step.phase:<13}", "label"),
            (f"{place:<{width}}  ", "dim"),
            (visible(step.text), ""),
            (f" · {visible(step.why)}" if step.why else "", "dim"),
        ]
        for other in step.others:
            yield [(f"{indent}{'':<13}{'':<{width}}  other: {visible(other)}", "dim")]
    for each in way.ways:
        yield [(f"{indent}if {visible(each.assumption)}", "info")]
        yield from _way(each, width, f"{indent}  ")


def _cut(place: str, width: int) -> str:
    """A place with as much of its end as fits."""
    place = visible(place)
    return f"…{place[1 - width :]}" if len(place) > width else place


def _outcomes(view: TraceView, width: int) -> Iterator[Line]:
    several = len(view.outcomes) > 1
    yield [("  Outcomes" if several else "  Outcome", "strong")]
    for outcome in view.outcomes:
        yield [("    ", ""), (visible(summary(outcome)), _style(outcome))]
        if outcome.when:
            yield [(f"      if {' and '.join(map(visible, outcome.when))}", "info")]
        yield from _details(outcome, width)
    if view.ask.protocol == "http":
        yield [("  Try  ", "strong"), (visible(veiled(sent(view.ask).command)), "dim")]
    if view.trace.more:
        yield [("    … there are more: say what is known (--file-exists, --backend-status, --from)", "dim")]


def _style(outcome: ShownOutcome) -> str:
    if outcome.unknown is not None or outcome.closed:
        return "warning"
    if outcome.status is None:
        return "strong"
    return "good" if outcome.status < 400 else "error"


def _details(outcome: ShownOutcome, width: int) -> Iterator[Line]:
    named = (
        ("server", outcome.server_name, outcome.server),
        ("location", outcome.location_name, outcome.location),
    )
    by = [
        f"{kind} {visible(name)} ({_cut(place, width)})" if name else f"{kind} {_cut(place, width)}"
        for kind, name, place in named
        if place is not None
    ]
    if by:
        yield [(f"      by {', '.join(by)}", "dim")]
    for title, headers in (("sent", outcome.upstream_headers), ("answer", outcome.headers)):
        for name, text in headers.items():
            yield [(f"      {title:<7} {visible(name)}: {visible(text)}", "dim")]
