"""The end of the text report: what was found, and what was not looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nginxaudit.finding import Applicability
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.cells import wrap
from nginxaudit.report.coverage import NOUNS, Gap, analysed, counted, crash_line, gaps, is_complete, verdict
from nginxaudit.report.paint import Line
from nginxaudit.report.sanitize import visible

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report

_MOST_GAPS = 10


def summary(
    report: Report, options: RenderOptions, example: str | None, width: int, encoding: str
) -> Iterator[Line]:
    """Counts, what was not analysed, and where to read more (``example``: the slug of a rule shown)."""
    yield _verdict(report)
    fixed = _fixable(report)
    if fixed:
        yield [(fixed, "dim")]
    found = gaps(report)
    if found:
        most = _MOST_GAPS if options.fold else len(found)
        yield [("Not analysed:", "warning")]
        for gap in found[:most]:
            yield from _item(gap, width, encoding)
        if len(found) > most:
            yield [(f"  ... and {len(found) - most:,} more (--all shows them)", "strong")]
    if report.remarks:
        most = _MOST_GAPS if options.fold else len(report.remarks)
        yield [("Notes:", "strong")]
        for remark in report.remarks[:most]:
            yield from _item(Gap("", remark), width, encoding)
        if len(report.remarks) > most:
            yield [(f"  ... and {len(report.remarks) - most:,} more (--all shows them)", "strong")]
    if report.crashes:
        yield [("Internal errors:", "error")]
        for crash in report.crashes:
            yield from _item(Gap("", crash_line(crash)), width, encoding)
    if analysed(report):
        yield [(report.facts.sentence, "dim")]
    if example:
        yield [("More about a rule: ", "dim"), (f"nginxaudit explain {visible(example, encoding)}", "")]


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


def _fixable(report: Report) -> str:
    """What fixes could do, "" when nothing."""
    counts = Counter(finding.fix.applicability for finding in report.active if finding.fix is not None)
    safe, unsafe = counts[Applicability.SAFE], counts[Applicability.UNSAFE]
    if not counts:
        return ""
    words = [f"{safe:,} fixable with --fix"] if safe else []
    words += [f"{unsafe:,} {'more ' if safe else ''}with --fix --unsafe-fixes"] if unsafe else []
    return f"{', '.join(words) if safe else words[0].replace(' with', ' fixable with')} (--diff shows how)"


def _item(gap: Gap, width: int, encoding: str) -> Iterator[Line]:
    place = [f"{visible(gap.place, encoding)}:"] if gap.place else []
    first, *rest = wrap([*place, *visible(gap.text, encoding).split(" ")], width - 4, -2)
    yield [(f"  {first}", "")]
    for line in rest:
        yield [(f"    {line}", "")]
