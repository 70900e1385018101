"""What was drilled, put together as it is told: what is equal once, with all its places; the worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.drill.changes import NEWCOMER
from nginxaudit.drill.drill import count, drill
from nginxaudit.drill.load import Traffic
from nginxaudit.drill.reading import subjects, with_workers
from nginxaudit.drill.results import Result, Scenario
from nginxaudit.nginx import Target

if TYPE_CHECKING:
    from nginxaudit.drill.spec import Subject, UpstreamSpec, Use
    from nginxaudit.finding import Finding
    from nginxaudit.model import Model
    from nginxaudit.model.upstream import Upstream


class Progress(Protocol):
    """Called with the number of scenarios that are done, that of all, and what is next."""

    def __call__(self, done: int, total: int, name: str) -> None:
        """Take note."""


class DrillPlace(Struct, frozen=True):
    """Who uses a group, and where. ``remark`` is a sentence on this place, or empty.

    ``refused`` is why nginx does not load its configuration, or empty.
    """

    location: str
    file: str
    line: int
    remark: str = ""
    refused: str = ""


class Story(Struct, frozen=True):
    """Scenarios of one kind that end alike and have the same causes and remedies, the worst first."""

    results: tuple[Result, ...]

    @property
    def worst(self) -> Result:
        """The one that loses most."""
        return self.results[0]

    @property
    def passed(self) -> bool:
        """Nothing is lost that the configuration could be blamed for."""
        return self.worst.verdict.passed

    @property
    def fixable(self) -> bool:
        """Some other setting loses less, without another server."""
        return fixable(self.worst)

    @property
    def title(self) -> str:
        """What goes wrong, and where: ``refuse: any of 2 servers``."""
        scenario = self.worst.scenario
        what = {"server": "servers", "host": "hosts"}.get(scenario.scope)
        many = len(self.results)
        target = f"any of {many} {what}" if many > 1 and what else scenario.target
        return f"{scenario.kind}: {target}"


class Section(Struct, frozen=True):
    """One group, used in one way; every place that does so."""

    upstream: str
    topology: str
    group: UpstreamSpec
    use: Use
    places: tuple[DrillPlace, ...]
    results: tuple[Result, ...]

    @property
    def stories(self) -> tuple[Story, ...]:
        """Its scenarios, folded; those that lose most first."""
        found: dict[object, list[Result]] = {}
        for result in self.results:
            found.setdefault(_alike(result), []).append(result)
        stories = [Story(tuple(sorted(each, key=_badness, reverse=True))) for each in found.values()]
        return tuple(sorted(stories, key=lambda story: _badness(story.worst), reverse=True))

    @property
    def badness(self) -> tuple[bool, bool, float]:
        """Orders blocks."""
        return max(map(_badness, self.results), default=(False, False, 0.0))


class Skipped(Struct, frozen=True):
    """A group, or a use of one, that was not drilled. ``location`` is empty where nobody uses the group."""

    upstream: str
    location: str
    file: str
    line: int
    reason: str


class Drilled(Struct, frozen=True):
    """Everything that one run tells."""

    blocks: tuple[Section, ...]
    skipped: tuple[Skipped, ...]
    load: Traffic
    target: Target
    left_out: int = 0
    """Number of scenarios that were not run because no server is left in them."""

    @property
    def results(self) -> Iterator[Result]:
        """Every scenario of every place."""
        for block in self.blocks:
            for place in block.places:
                for result in block.results:
                    yield replace(result, location=place.location, file=place.file, line=place.line)

    @property
    def unknown(self) -> tuple[Skipped, ...]:
        """What is used and could not be drilled."""
        return tuple(each for each in self.skipped if each.location)


def fixable(result: Result) -> bool:
    """Whether a remedy that needs no further server loses less."""
    return any(
        remedy.lost_after < remedy.lost_before and NEWCOMER not in remedy.text
        for remedy in result.verdict.remedies
    )


def lost_share(result: Result) -> float:
    """Part (0 to 1) of the requests that was lost."""
    return result.outcome.lost / max(1, result.outcome.requests)


def down_times(scenario: Scenario, server: int) -> tuple[tuple[int, int], ...]:
    """When the server with this index fails: begin and end in ms."""
    return tuple((each.begin, each.end) for each in scenario.faults if each.server == server)


def servers_shown(result: Result, group: UpstreamSpec, most: int) -> tuple[str, ...]:
    """Names of at most ``most`` servers for a picture, in their order: those that fail before the others."""
    names = list(dict.fromkeys(server.name for server in group.servers))
    failing = {group.servers[fault.server].name for fault in result.scenario.faults}
    chosen = set(sorted(names, key=lambda name: name not in failing)[:most])
    return tuple(name for name in names if name in chosen)


def traffic_top(full: float, busiest: float) -> float:
    """The traffic that fills a server's line: all requests, or where none of many gets much of them the most that one gets."""
    return busiest if 0 < busiest < full / 4 else full


def drilled_of(
    models: Sequence[Model],
    load: Traffic,
    kinds: Iterable[str] | None,
    target: Target,
    upstream: str = "*",
    findings: Iterable[Finding] = (),
    progress: Progress | None = None,
    *,
    everything: bool = True,
) -> Drilled:
    """Drill all groups of ``models`` whose name matches the glob ``upstream``, each use once.

    ``everything`` False leaves the scenarios out in which no server is left.
    """
    kinds = None if kinds is None else tuple(kinds)
    refusals = _refusals(findings)
    uses: dict[tuple[UpstreamSpec, Use], tuple[Subject, str, list[DrillPlace]]] = {}
    skipped: list[Skipped] = []
    for model in models:
        known = {_position(each): each for each in model.all_upstreams}
        for each in subjects(model):
            subject = with_workers(each, load.workers)
            if not fnmatchcase(subject.upstream.lower(), upstream.lower()):
                continue
            group, use = subject.group, subject.use
            if group is None or use is None or subject.why_not is not None:
                reason = subject.why_not or "it is not known how it is used"
                skipped.append(
                    Skipped(subject.upstream, subject.location, subject.file, subject.line, reason)
                )
                continue
            alike = replace(group, file="", line=0), replace(use, label="", file="", line=0)
            source = known[group.file, group.line]
            kind = model.topology(source).kind.value
            place = DrillPlace(
                subject.location, subject.file, subject.line, _remark(model, source, kind), refusals(model)
            )
            uses.setdefault(alike, (subject, kind, []))[2].append(place)
    blocks = _run(uses.values(), load, kinds, progress, everything=everything)
    every = sum(count(subject, load, kinds) for subject, _, _ in uses.values())
    wanted = sum(count(subject, load, kinds, everything=everything) for subject, _, _ in uses.values())
    return Drilled(
        blocks=tuple(sorted(blocks, key=lambda block: block.badness, reverse=True)),
        left_out=every - wanted,
        skipped=tuple(dict.fromkeys(skipped)),
        load=load,
        target=target,
    )


def _run(
    uses: Iterable[tuple[Subject, str, list[DrillPlace]]],
    load: Traffic,
    kinds: tuple[str, ...] | None,
    progress: Progress | None,
    *,
    everything: bool,
) -> Iterator[Section]:
    counts = [(each, count(each[0], load, kinds, everything=everything)) for each in uses]
    waiting = [each for each, number in counts if number]
    total, done = sum(number for _, number in counts), 0
    for subject, kind, places in waiting:
        assert subject.group is not None
        assert subject.use is not None
        results = []
        for result in drill(subject, load, kinds, everything=everything):
            results.append(result)
            done += 1
            if progress is not None and done < total:
                progress(done, total, f"{result.upstream} {result.scenario.name}")
        yield Section(
            subject.upstream,
            kind,
            subject.group,
            subject.use,
            tuple(dict.fromkeys(places)),
            tuple(results),
        )


def _position(upstream: Upstream) -> tuple[str, int]:
    block = upstream.directive
    return block.source.path, block.source.position(block.start)[0]


def _remark(model: Model, upstream: Upstream, kind: str) -> str:
    """Whether a group is something else than it is meant to be."""
    meant = model.intent(upstream).kind
    return f"meant as {meant}, is {kind}" if meant and not kind.startswith(meant) else ""


def _refusals(findings: Iterable[Finding]) -> Callable[[Model], str]:
    """Why nginx refuses a configuration: the first reason."""
    reasons: dict[str, str] = {}
    for finding in findings:
        if finding.rejected_by_nginx:
            reasons.setdefault(finding.span.file, f"{finding.message} (line {finding.span.line})")

    def of(model: Model) -> str:
        return next((reasons[path] for path in model.config.sources if path in reasons), "")

    return of


def _alike(result: Result) -> object:
    scenario, verdict = result.scenario, result.verdict
    if verdict.passed:
        return scenario.kind, scenario.scope
    remedies = tuple((remedy.sentence, remedy.fixes) for remedy in verdict.remedies)
    return scenario.kind, scenario.scope, verdict.causes, remedies


def _badness(result: Result) -> tuple[bool, bool, float]:
    """What can be fixed is worse than what needs another server."""
    return not result.verdict.passed, fixable(result), lost_share(result)
