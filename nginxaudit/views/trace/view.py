"""One trace as it is shown: its steps as a tree of assumptions, every text without secrets."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct, field

from nginxaudit.report.masked import veiled
from nginxaudit.request.expectations import names, written
from nginxaudit.request.records import Ask, Outcome, Step, Trace
from nginxaudit.syntax.tree import Directive


class ShownStep(Struct, frozen=True):
    """One step in words. ``place`` is ``FILE:LINE``, empty where no directive says it."""

    phase: str
    place: str
    text: str
    why: str
    others: tuple[str, ...]


class ShownOutcome(Struct, frozen=True):
    """One outcome in words; the fields are those of `Outcome`.

    ``server`` and ``location`` are places, their names are as written.
    """

    when: tuple[str, ...]
    status: int | None
    redirect: str | None
    server: str | None
    location: str | None
    passed: str | None
    upstream: str | None
    upstream_method: str | None
    upstream_uri: str | None
    upstream_headers: dict[str, str]
    file: str | None
    body: str | None
    headers: dict[str, str]
    closed: bool
    unknown: str | None
    server_name: str = ""
    location_name: str = ""


class Way(Struct):
    """The steps under one assumption, the ways that part behind them, and the outcome where none does."""

    assumption: str = ""
    steps: list[ShownStep] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    outcome: ShownOutcome | None = None


class TraceView(Struct, frozen=True):
    """One request, the tree of what happens, and the outcomes in order."""

    ask: Ask
    title: str
    way: Way
    outcomes: tuple[ShownOutcome, ...]
    trace: Trace


def view_of(trace: Trace) -> TraceView:
    """A trace ready to be shown."""
    outcomes = tuple(map(shown_outcome, trace.outcomes))
    root = Way()
    segments: list[list[Step]] = [[] for _ in outcomes]
    for step in trace.steps:
        segments[step.branch].append(step)
    for outcome, steps in zip(outcomes, segments, strict=True):
        known = len(outcome.when) - sum(step.phase == "assume" for step in steps)
        way = root
        for words in outcome.when[:known]:
            way = _under(way, words)
        for step in steps:
            if step.phase == "assume":
                way = _under(way, veiled(step.text))
            else:
                way.steps.append(shown_step(step))
        way.outcome = outcome
    ask = trace.ask
    title = f"{ask.method} {ask.url}" if ask.protocol == "http" else ask.url
    return TraceView(ask, veiled(title), root, outcomes, trace)


def _under(way: Way, assumption: str) -> Way:
    for each in way.ways:
        if each.assumption == assumption:
            return each
    found = Way(assumption)
    way.ways.append(found)
    return found


def shown_step(step: Step) -> ShownStep:
    """A step in words."""
    place = place_of(step.node) or ""
    return ShownStep(
        step.phase, place, veiled(step.text), veiled(step.why), tuple([veiled(each) for each in step.others])
    )


def shown_outcome(outcome: Outcome) -> ShownOutcome:
    """An outcome in words."""
    return ShownOutcome(
        tuple([veiled(words) for words in outcome.when]),
        outcome.status,
        _veil(outcome.redirect),
        place_of(outcome.server),
        place_of(outcome.location),
        _veil(outcome.passed),
        outcome.upstream,
        outcome.upstream_method,
        _veil(outcome.upstream_uri),
        _headers(outcome.upstream_headers),
        outcome.file,
        _veil(outcome.body),
        _headers(outcome.headers),
        outcome.closed,
        outcome.unknown,
        veiled(next(iter(names(outcome.server)), "")),
        veiled(written(outcome.location) or ""),
    )


def place_of(node: Directive | None) -> str | None:
    """Where a directive is written: ``FILE:LINE``."""
    if node is None:
        return None
    return f"{node.source.path}:{node.source.position(node.start)[0]}"


def _veil(text: str | None) -> str | None:
    return None if text is None else veiled(text)


def _headers(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Headers by name; of repeated ones the values are joined."""
    found: dict[str, str] = {}
    for name, text in headers:
        shown = _header(name, text)
        found[name] = f"{found[name]}, {shown}" if name in found else shown
    return found


@lru_cache(maxsize=4096)
def _header(name: str, text: str) -> str:
    """A header's value without a secret, which may be known by the name alone."""
    line = f'proxy_set_header {name} "{text}";'
    return text if veiled(line) == line else "***"
