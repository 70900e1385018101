"""The ends of the text report: what was judged; what was not analysed, and what was found."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from nginxaudit import DOCS, __version__
from nginxaudit.finding import Applicability, Severity
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.cells import wrap
from nginxaudit.report.coverage import NOUNS, Gap, analysed, counted, crash_line, gaps, is_complete, verdict
from nginxaudit.report.paint import Line, Screen

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report

_MOST = 10  # lines of a list before the rest is only counted


def heading(report: Report, screen: Screen) -> Iterator[Line]:
    """What was judged: configurations, files, the nginx, and how new the facts about it are."""
    if not analysed(report):
        return
    files = counted(analysed(report), "file")
    judged = f"{screen.safe(_common(report.roots))} ({_configurations(report.roots)}{files})"
    text = f"nginxaudit {__version__}: {judged} for {report.target}; {report.facts}"
    for line in wrap(text.split(" "), screen.width):
        yield [(line, "dim")]
    yield []


def _common(roots: Sequence[str]) -> str:
    """The one configuration, or the directory that all of them are in."""
    if len(roots) == 1:
        return roots[0]
    try:
        return os.path.commonpath(roots) or "."
    except ValueError:  # none, or absolute and relative ones
        return "input"


def _configurations(roots: Sequence[str]) -> str:
    return f"{len(roots):,} configurations, " if len(roots) > 1 else ""


def summary(
    report: Report, options: RenderOptions, screen: Screen, *, brief: int, shown: bool
) -> Iterator[Line]:
    """What was not analysed, counts, and the errors by name; ``brief``: how many findings took one line."""
    fold = options.fold
    yield from _list("Not analysed:", "warning", gaps(report), screen, fold=fold)
    if not options.quiet:
        yield from _list("Notes:", "strong", [Gap("", each) for each in report.remarks], screen, fold=fold)
    crashes = [Gap("", crash_line(crash)) for crash in report.crashes]
    yield from _list("Internal errors:", "error", crashes, screen, fold=False)
    if options.quiet:
        return
    if gaps(report) or report.remarks or crashes:
        yield []
    yield _verdict(report)
    yield from _errors(report, screen, fold=fold)
    fixed = fixable(report)
    if fixed:
        yield [(fixed, "dim")]
    hints = [f"-v shows {counted(brief, 'finding')} in full"] if brief else []
    hints += [f"nginxaudit explain RULE shows the page of a rule: {DOCS}rules/RULE/"] if shown else []
    if hints:
        for line in wrap("; ".join(hints).split(" "), screen.width):
            yield [(line, "dim")]


def fixable(report: Report) -> str:
    """What fixes could do, "" when nothing."""
    counts = Counter(finding.fix.applicability for finding in report.active if finding.fix is not None)
    safe, unsafe = counts[Applicability.SAFE], counts[Applicability.UNSAFE]
    words = [f"[*] {safe:,} fixable with --fix"] if safe else []
    words += [f"[~] {unsafe:,} {'more' if safe else 'fixable'} with --fix --unsafe-fixes"] if unsafe else []
    return f"{', '.join(words)} (--diff shows how)" if words else ""


def _errors(report: Report, screen: Screen, *, fold: bool) -> Iterator[Line]:
    """Where each error is: a report may be longer than the screen."""
    errors = [finding for finding in report.active if finding.severity is Severity.ERROR]
    most = _MOST if fold else len(errors)
    for finding in errors[:most]:
        span = finding.span
        yield [("  error ", "error"), (screen.safe(f"{span.file}:{span.line} {finding.rule}"), "")]
    if len(errors) > most:
        yield [(f"  ... and {counted(len(errors) - most, 'more error')} (--all shows them)", "strong")]


def _verdict(report: Report) -> Line:
    """The sentence of `verdict`, each count in the colour of its severity."""
    text = verdict(report)
    if not report.active:
        good = "No findings" if is_complete(report) else text.split(" (")[0].split(":")[0]
        return [(good, "good" if is_complete(report) else "warning"), (text[len(good) :], "")]
    counts = Counter(finding.severity for finding in report.active)
    words: Line = []
    for severity in sorted(counts, reverse=True):
        words += [(", ", ""), (counted(counts[severity], *NOUNS[severity]), severity.label)]
    said = "".join(word for word, _ in words[1:])
    return [*words[1:], (text[len(said) :], "")]


def _list(title: str, style: str, items: Sequence[Gap], screen: Screen, *, fold: bool) -> Iterator[Line]:
    if not items:
        return
    yield [(title, style)]
    most = _MOST if fold else len(items)
    yield from chain.from_iterable(_item(item, screen) for item in items[:most])
    if len(items) > most:
        yield [(f"  ... and {len(items) - most:,} more (--all shows them)", "strong")]


def _item(gap: Gap, screen: Screen) -> Iterator[Line]:
    place: Iterable[str] = [f"{screen.safe(gap.place)}:"] if gap.place else []
    first, *rest = wrap([*place, *screen.safe(gap.text).split(" ")], screen.width - 4, -2)
    yield [(f"  {first}", "")]
    for line in rest:
        yield [(f"    {line}", "")]
