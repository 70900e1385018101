"""The ``text`` format, for people: findings by file with excerpts, then a summary.

Every text that comes from outside passes `visible` on its way in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, TextIO

from nginxaudit.report.base import RenderOptions
from nginxaudit.report.cells import wrap
from nginxaudit.report.excerpt import Frame, Row, excerpt
from nginxaudit.report.paint import Line, paint, wants_color, width_for
from nginxaudit.report.sanitize import encoding_of, visible
from nginxaudit.report.summary import summary

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.finding import Finding, Related, Span

_TRY = "try"  # label of the line with a witness
MOST_RELATED = 5  # related places of a finding that are shown before the rest is only counted
FOLD_AFTER = 10  # places of one rule that are shown before the rest is only counted


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write excerpts of all findings, with long repeats of a rule folded, and a summary."""
    width = width_for(stream, options)
    writer = _Writer(report, options, width, encoding_of(stream))
    paint(writer.lines(), stream, color=wants_color(stream, options.color), width=width)


class _Writer:
    def __init__(self, report: Report, options: RenderOptions, width: int, encoding: str) -> None:
        self._report = report
        self._options = options
        self._width = width
        self._encoding = encoding
        self._ellipsis = "…" if visible("…", encoding) == "…" else "..."
        self._rules = {rule.slug: rule for rule in report.rules}
        self._explained: set[str] = set()

    def lines(self) -> Iterator[Line]:
        """The whole report."""
        report = self._report
        candidates = report.findings if self._options.show_suppressed else report.active
        shown, folded = self._fold(candidates)
        totals = Counter(finding.span.file for finding in candidates)
        for file, findings in groupby(shown, key=lambda finding: finding.span.file):
            yield self._file(file, totals[file])
            for finding in findings:
                yield from self._finding(finding)
                yield []
        for slug, files in folded.items():
            count, places = sum(files.values()), len(files)
            in_files = "1 file" if places == 1 else f"{places:,} files"
            text = f"... and {count:,} more of {slug} (in {in_files}; --all shows them)"
            yield [(visible(text, self._encoding), "strong")]
        if folded:
            yield []
        example = shown[0].rule if shown else None
        yield from summary(report, self._options, example, self._width, self._encoding)

    def _fold(self, findings: tuple[Finding, ...]) -> tuple[list[Finding], dict[str, Counter[str]]]:
        """Findings to show, and by rule and file how many are left out."""
        shown: list[Finding] = []
        folded: dict[str, Counter[str]] = {}
        seen: Counter[str] = Counter()
        for finding in findings:
            seen[finding.rule] += 1
            if self._options.fold and seen[finding.rule] > FOLD_AFTER:
                folded.setdefault(finding.rule, Counter())[finding.span.file] += 1
            else:
                shown.append(finding)
        return shown, folded

    def _file(self, file: str, count: int) -> Line:
        noun = "finding" if count == 1 else "findings"
        return [(visible(file, self._encoding), "file"), (f" ({count:,} {noun})", "dim")]

    # -- one finding

    def _finding(self, finding: Finding) -> Iterator[Line]:
        numbers = [finding.span.end_line, *(each.span.end_line for each in finding.related)]
        gutter = len(str(max(numbers)))
        yield from self._header(finding)
        style = finding.severity.label
        yield [(f"{'':{gutter}}--> ", "frame"), (self._place(finding.span), "")]
        rows = self._excerpt(finding.span, gutter)
        if rows:
            yield self._bar(gutter)
            yield from self._rows(rows, gutter, "^", style)
        most = MOST_RELATED if self._options.fold else len(finding.related)
        for related in finding.related[:most]:
            yield from self._related(related, gutter)
        if len(finding.related) > most:
            yield [(f"{'':{gutter}}--> ", "frame"), (f"and {len(finding.related) - most:,} more places", "")]
        notes = list(self._notes(finding))
        if notes and (rows or finding.related):
            yield self._bar(gutter)
        for label, text in notes:
            yield from self._note(label, text, gutter)

    def _header(self, finding: Finding) -> Iterator[Line]:
        mark = "suppressed " if finding.suppressed else ""
        head = visible(f"{mark}{finding.severity.label}[{finding.rule}]", self._encoding)
        style = "dim" if finding.suppressed else finding.severity.label
        first, *rest = self._wrap(f": {finding.claim}", indent=4, used=len(head) - 4)
        yield [(head, style), (first, "strong")]
        for line in rest:
            yield [("    ", ""), (line, "strong")]

    def _related(self, related: Related, gutter: int) -> Iterator[Line]:
        yield self._bar(gutter)
        place = self._place(related.span)
        words = [f"{place}:", *visible(related.message, self._encoding).split(" ")]
        first, *rest = wrap(words, self._width - gutter - 4)
        yield [(f"{'':{gutter}}--> ", "frame"), (first, "")]
        for line in rest:
            yield [(" " * (gutter + 4) + line, "")]
        yield from self._rows(self._excerpt(related.span, gutter, context=False), gutter, "-", "related")

    def _notes(self, finding: Finding) -> Iterator[tuple[str, str]]:
        if finding.suppressed:
            yield "suppressed", f"{finding.suppressed.kind}: {finding.suppressed.reason}"
        if finding.rejected_by_nginx:
            yield "note", "nginx refuses to load this"
        rule = self._rules.get(finding.rule)
        if rule and rule.why and rule.slug not in self._explained:
            self._explained.add(rule.slug)
            yield "why", rule.why
        remedy = finding.help or (rule.remedy if rule else "")
        if remedy:
            yield "fix", remedy
        if finding.witness is not None:
            yield _TRY, finding.witness.command

    def _note(self, label: str, text: str, gutter: int) -> Iterator[Line]:
        lead = f"{'':{gutter + 1}}= "
        indent = len(lead) + len(label) + 2
        # A command is copied: it stays on one line.
        first, *rest = [visible(text, self._encoding)] if label == _TRY else self._wrap(text, indent)
        yield [(lead, "frame"), (f"{label}: ", "label"), (first, "")]
        for line in rest:
            yield [(" " * indent + line, "")]

    # -- pieces

    def _wrap(self, text: str, indent: int, used: int = 0) -> list[str]:
        return wrap(visible(text, self._encoding).split(" "), self._width - indent, used)

    def _place(self, span: Span) -> str:
        return f"{visible(span.file, self._encoding)}:{span.line}:{span.column}"

    def _bar(self, gutter: int) -> Line:
        return [(f"{'':{gutter + 1}}|", "frame")]

    def _excerpt(self, span: Span, gutter: int, *, context: bool = True) -> list[Row]:
        frame = Frame(self._width - gutter - 3, self._encoding, self._ellipsis)
        return excerpt(self._report.sources.get(span.file), span, frame, context=context)

    def _rows(self, rows: list[Row], gutter: int, sign: str, style: str) -> Iterator[Line]:
        for row in rows:
            if not row.number:
                yield [(row.text, "frame")]
                continue
            yield [(f"{row.number:>{gutter}} | ", "frame"), (row.text, "")]
            if row.mark:
                first, end = row.mark
                yield [(f"{'':{gutter + 1}}| ", "frame"), (" " * first + sign * (end - first), style)]
