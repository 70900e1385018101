"""The end of the text report: what was found, and what was not looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nginxaudit.finding import Severity
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.cells import wrap
from nginxaudit.report.coverage import Gap, analysed, crash_line, gaps, is_complete
from nginxaudit.report.paint import Line
from nginxaudit.report.sanitize import visible

if TYPE_CHECKING:
    from nginxaudit.engine.report import Report

_MOST_GAPS = 10


def summary(
    report: Report, options: RenderOptions, example: str | None, width: int, encoding: str
) -> Iterator[Line]:
    """Counts, what was not analysed, and where to read more (``example``: the slug of a rule shown)."""
    yield _verdict(report)
    found = gaps(report)
    if found:
        most = _MOST_GAPS if options.fold else len(found)
        yield [("Not analysed:", "warning")]
        for gap in found[:most]:
            yield from _item(gap, width, encoding)
        if len(found) > most:
            yield [(f"  ... and {len(found) - most:,} more (--all shows them)", "strong")]
    if report.crashes:
        yield [("Internal errors:", "error")]
        for crash in report.crashes:
            yield from _item(Gap("", crash_line(crash)), width, encoding)
    if example:
        yield [("More about a rule: ", "dim"), (f"nginxaudit explain {visible(example, encoding)}", "")]


def _verdict(report: Report) -> Line:
    counts = Counter(finding.severity for finding in report.active)
    suppressed = len(report.findings) - len(report.active)
    files = f" in {_count(analysed(report), 'file')} analysed"
    aside = f" ({suppressed:,} suppressed)" if suppressed else ""
    if counts:
        words: Line = []
        for severity in sorted(counts, reverse=True):
            words += [(", ", ""), (_count(counts[severity], *_NOUNS[severity]), severity.label)]
        return [*words[1:], (f"{aside}{files}", "")]
    if is_complete(report):
        return [("No findings", "good"), (f"{aside}{files}", "")]
    if not analysed(report):
        return [("Nothing could be analysed", "warning"), (aside, "")]
    return [("No findings in what could be analysed", "warning"), (f"{aside}:{files}", "")]


_NOUNS = {
    Severity.ERROR: ("error", "errors"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFO: ("info", "infos"),
}


def _count(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def _item(gap: Gap, width: int, encoding: str) -> Iterator[Line]:
    place = [f"{visible(gap.place, encoding)}:"] if gap.place else []
    first, *rest = wrap([*place, *visible(gap.text, encoding).split(" ")], width - 4, -2)
    yield [(f"  {first}", "")]
    for line in rest:
        yield [(f"    {line}", "")]
