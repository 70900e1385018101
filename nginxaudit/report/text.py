"""The ``text`` format, for people: what was judged, the findings by severity and file, then a summary next to the prompt.

Every text that comes from outside passes `visible` on its way in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TextIO

from nginxaudit.finding import Severity
from nginxaudit.report.arranged import alike, arranged
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.block import Blocks, place_of
from nginxaudit.report.cells import width_of, wrap
from nginxaudit.report.coverage import counted
from nginxaudit.report.paint import Line, Screen, paint, screen_for, wants_color
from nginxaudit.report.summary import heading, summary

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.finding import Finding, Span

_MOST_INCLUDES = 3  # places named in the heading of an included file


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write all findings, with long repeats of a rule folded, and a summary."""
    screen = screen_for(stream, options)
    lines = _Writer(report, options, screen).lines()
    paint(lines, stream, color=wants_color(stream, options.color), width=screen.width)


class _Writer:
    def __init__(self, report: Report, options: RenderOptions, screen: Screen) -> None:
        self._report = report
        self._options = options
        self._screen = screen
        self._blocks = Blocks(report, screen, fold=options.fold, see=options.verbose or not options.fold)

    def lines(self) -> Iterator[Line]:
        """The whole report."""
        report, options = self._report, self._options
        if not options.quiet:
            yield from heading(report, self._screen)
        candidates = report.findings if options.show_suppressed else report.active
        chosen = arranged(candidates, options.sort or "severity", fold=options.fold)
        includes = _includes(candidates)
        for (file, _), findings in groupby(chosen.shown, key=self._section()):
            listed = list(findings)
            yield from self._file(file, listed, includes.get(file, {}))
            yield from self._listed(listed)
            yield []
        yield from self._folded(chosen.folded)
        brief = sum(map(self._is_brief, chosen.shown))
        yield from summary(report, options, self._screen, brief=brief, shown=bool(chosen.shown))

    def _section(self) -> Callable[[Finding], tuple[str, object]]:
        """What the findings under one heading have in common."""
        if self._options.sort == "file":
            return lambda finding: (finding.span.file, None)
        return lambda finding: (finding.span.file, finding.suppressed is None and finding.severity)

    def _file(self, file: str, findings: Sequence[Finding], includes: dict[Span, int]) -> Iterator[Line]:
        """The name of a file, and where it is included: said here, once for all its findings."""
        name = self._screen.safe(file)
        words = ["", f"({counted(len(findings), 'finding')})"]
        if includes:
            places = [f"{self._screen.safe(span.file)}:{span.line}" for span in includes][:_MOST_INCLUDES]
            more = sum(includes.values()) - len(places)
            text = f"included from {', '.join(places)}" + (
                f" and {counted(more, 'more place')}" if more else ""
            )
            words = [*words[:-1], f"{words[-1]},", *text.split(" ")]
        first, *rest = wrap(words, self._screen.width - 4, width_of(name) - 4)
        yield [(name, "file"), (first, "dim")]
        for line in rest:
            yield [(f"    {line}", "dim")]

    def _listed(self, findings: Sequence[Finding]) -> Iterator[Line]:
        """The findings of one heading; between those that take several lines stands an empty one."""
        brief = [finding for finding in findings if self._is_brief(finding)]
        gutter = max((len(place_of(each)) for each in brief), default=0)
        repeats: dict[tuple[object, ...], list[Finding]] = {}
        for finding in brief:
            repeats.setdefault(alike(finding), []).append(finding)
        before: Finding | None = None
        for finding in findings:
            if self._is_brief(finding):
                same = repeats[alike(finding)]
                if same[0] is finding:
                    yield from [[]] * (before is not None)
                    yield from self._blocks.brief(finding, gutter, [each.span.line for each in same[1:]])
                    before = None
                continue
            again = before is not None and alike(before) == alike(finding)
            yield from [[]] * (finding is not findings[0] and not again)
            yield from self._blocks.full(finding, after=before)
            before = finding

    def _is_brief(self, finding: Finding) -> bool:
        """Whether one line is enough."""
        if not self._options.fold or self._options.verbose:
            return False
        return finding.severity is Severity.INFO or finding.suppressed is not None

    def _folded(self, folded: dict[str, Counter[str]]) -> Iterator[Line]:
        for slug, files in folded.items():
            count, places = sum(files.values()), len(files)
            text = f"... and {count:,} more of {slug} (in {counted(places, 'file')}; --all shows them)"
            yield [(self._screen.safe(text), "strong")]
        if folded:
            yield []


def _includes(findings: Iterable[Finding]) -> dict[str, dict[Span, int]]:
    """Per file the places that include it, each with the number of includes it stands for."""
    found: dict[str, dict[Span, int]] = {}
    for finding in findings:
        for related in finding.related:
            if related.includes:
                ways = found.setdefault(finding.span.file, {})
                ways[related.span] = max(related.includes, ways.get(related.span, 0))
    return found
