"""The whole way once: paths to configurations to findings to a report."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from msgspec import Struct

from nginxaudit.engine.results.assembly import Assembly
from nginxaudit.engine.results.report import Report
from nginxaudit.engine.rules.catalogue import catalogue_of
from nginxaudit.engine.rules.selection import not_run, options_of, selected
from nginxaudit.engine.run.advisories import advisories_of, remarks_on
from nginxaudit.engine.run.all_rules import run
from nginxaudit.engine.run.clock import NO_CLOCK, Clock
from nginxaudit.engine.run.reading import Reading
from nginxaudit.engine.run.tasks import prepare
from nginxaudit.engine.settings import Settings
from nginxaudit.finding import Finding
from nginxaudit.model import Model
from nginxaudit.nginx import Target
from nginxaudit.nginx.releases import Facts
from nginxaudit.source.placing import ReadOptions
from nginxaudit.source.roots import find_roots

_LOCAL = "nginx.conf"
_INSTALLED = "/etc/nginx"


def audit(
    paths: Sequence[str] = (),
    settings: Settings | None = None,
    *,
    stdin: BinaryIO | None = None,
) -> Report:
    """Audit ``paths``: files, directories, ``nginx -T`` dumps, ``-`` for ``stdin``.

    Without paths: the settings' ``entry``, else what is below the working directory, else ``/etc/nginx`` (where
    standard input is a terminal). Bad input never
    raises, it is part of the report. Raises `SettingsError` for settings that cannot be used.
    """
    return examine(paths, settings, stdin=stdin).report


class Examination(Struct, frozen=True):
    """A report, and the meaning of every root that it speaks of.

    ``active`` are the report's findings that are not suppressed at their places in the models' texts, which may be
    embedded in the files that the report names. ``target`` is the nginx that all of it was judged for.
    """

    report: Report
    target: Target
    models: tuple[Model, ...]
    active: tuple[Finding, ...]


def examine(
    paths: Sequence[str] = (),
    settings: Settings | None = None,
    *,
    stdin: BinaryIO | None = None,
    overlay: Mapping[str, str] | None = None,
    progress: Callable[[int, int, str], object] | None = None,
    jobs: int | None = 1,
    clock: Clock = NO_CLOCK,
) -> Examination:
    """Like `audit`, with the models of the configurations beside the report.

    ``overlay`` maps real paths to texts that are audited in place of what is on disk. ``progress`` is told
    before each configuration: how many are done, of how many, and its name. ``jobs`` is how many processes run
    rules, None for as many as pay; ``clock`` is told what takes how long.
    """
    settings = settings or Settings()
    with paused_collector(), clock.phase("rules"):
        catalogue = catalogue_of(settings)
        rules = selected(catalogue, settings)
        advisories = advisories_of(settings)
        tasks = [
            prepare(rule, options_of(rule, catalogue, settings), advisories)
            for rule in rules
            if rule.check.engine is None  # told by what the engine itself sees
        ]
        chosen = list(paths) or default_paths(settings)
        named = chosen == [_INSTALLED] or (bool(paths) and not settings.changed)
        reading = Reading(settings, overlay, clock, named=named)
        with clock.phase("read"):
            works = reading.works(chosen, stdin)
        if chosen == [_INSTALLED] and not paths:
            reading.remarks.insert(0, f"nothing below . looks like nginx: {_INSTALLED} was read")
        models = tuple(work.model for work in works)
        outcomes = run(models, tasks, settings.limits, jobs, clock)
        assembly = Assembly(settings, catalogue, rules, reading.target)
        for done, work in enumerate(works):
            if progress is not None:
                progress(done, len(works), work.root.source.path)
            outcome = next(outcomes)
            with clock.phase("findings"):
                assembly.take(work.model.config, outcome, whole=work.whole)
        with clock.phase("findings"):
            known = advisories()
            remarks = [*reading.remarks, *remarks_on(settings, known)]
            assembly.note([*not_run(catalogue, settings), *reading.notes], remarks)
            for unread in reading.unread:
                assembly.unread(unread.path, unread.error)
            report = assembly.report(
                reading.given if reading.in_context else None, Facts(advisories=known.date)
            )
        active = tuple(finding for finding in assembly.in_place if finding.suppressed is None)
        return Examination(report, reading.target, models, active)


def default_paths(settings: Settings) -> list[str]:
    """What is audited when no path is given: the installed configuration only where a person sees that it is."""
    if settings.entry:
        return list(settings.entry)
    if os.path.islink(_LOCAL):  # it may lead to a file elsewhere in the repository
        return [_LOCAL]
    if _is_interactive() and os.path.exists(_INSTALLED) and not os.path.exists(_LOCAL) and not _is_here():
        return [_INSTALLED]
    return [os.curdir]


def _is_interactive() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _is_here() -> bool:
    """Whether something below the working directory looks like nginx."""
    found = find_roots([os.curdir], ReadOptions(named=False))
    return bool(found.roots or found.loose)


@contextmanager
def paused_collector() -> Iterator[None]:
    """Without garbage collection: trees of 100,000 nodes make it half of the run time, in vain."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
