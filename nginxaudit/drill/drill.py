"""The whole drill: every scenario of every use of every group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nginxaudit.drill.load import Traffic
from nginxaudit.drill.reading import subjects
from nginxaudit.drill.results import Result
from nginxaudit.drill.running import run
from nginxaudit.drill.scenarios import fatal, scenarios
from nginxaudit.drill.verdict import Known, judge

if TYPE_CHECKING:
    from nginxaudit.drill.spec import Subject, UpstreamSpec, Use
    from nginxaudit.model import Model

Progress = Callable[[int, int], None]
"""Called with the number of scenarios that are done, and of all."""


def drill(
    subject: Subject,
    load: Traffic | None = None,
    kinds: Iterable[str] | None = None,
    *,
    remedies: bool = True,
    everything: bool = True,
) -> Iterator[Result]:
    """Results of one use of a group, scenario by scenario; none for one with ``why_not``.

    ``remedies`` False saves the runs that look for what would help (the causes are still named);
    ``everything`` False those of scenarios in which no server is left (`fatal`).
    """
    load = load or Traffic()
    group, use = subject.group, subject.use
    if group is None or use is None or subject.why_not is not None:
        return
    known: Known = {}
    for scenario in scenarios(group, use, load, kinds):
        if not everything and fatal(group, scenario):
            continue
        outcome = run(group, use, load, scenario)
        verdict = judge(group, use, load, scenario, outcome, remedies=remedies, known=known)
        yield Result(
            subject.upstream, subject.location, subject.file, subject.line, scenario, outcome, verdict
        )


def count(
    subject: Subject,
    load: Traffic | None = None,
    kinds: Iterable[str] | None = None,
    *,
    everything: bool = True,
) -> int:
    """Number of scenarios that `drill` runs for ``subject``."""
    group = subject.group
    if group is None or subject.use is None or subject.why_not is not None:
        return 0
    found = scenarios(group, subject.use, load or Traffic(), kinds)
    return sum(everything or not fatal(group, scenario) for scenario in found)


def drill_all(
    model: Model,
    load: Traffic | None = None,
    kinds: Iterable[str] | None = None,
    *,
    remedies: bool = True,
    progress: Progress | None = None,
) -> Iterator[Result]:
    """Results for everything in ``model`` that can be drilled; see `reading.subjects` for what cannot."""
    kinds = None if kinds is None else tuple(kinds)
    found = subjects(model)
    total, done = sum(count(subject, load, kinds) for subject in found), 0
    known: dict[tuple[UpstreamSpec, Use], tuple[Result, ...]] = {}
    for subject in found:
        if subject.group is None or subject.use is None:
            continue
        alike = (subject.group, replace(subject.use, label="", file="", line=0))
        results = known.get(alike)  # many locations use a group in the same way
        fresh: list[Result] = []
        for result in drill(subject, load, kinds, remedies=remedies) if results is None else results:
            fresh.append(result)
            yield replace(result, location=subject.location, file=subject.file, line=subject.line)
            done += 1
            if progress is not None:
                progress(done, total)
        known[alike] = tuple(fresh)
