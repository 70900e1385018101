"""The ``concise`` format: a line per finding, for grep, editors and logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from nginxaudit.report.arranged import arranged
from nginxaudit.report.base import RenderOptions, fix_mark
from nginxaudit.report.coverage import crash_line, gaps, verdict
from nginxaudit.report.paint import Line, paint, wants_color, width_for
from nginxaudit.report.sanitize import encoding_of, visible
from nginxaudit.report.summary import fixable

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.finding import Finding


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write ``file:line:column: severity rule: message`` per finding, then what was not analysed, and a line of counts."""
    lines = _lines(report, options, encoding_of(stream))
    paint(lines, stream, color=wants_color(stream, options.color), width=width_for(stream, options))


def _lines(report: Report, options: RenderOptions, encoding: str) -> Iterator[Line]:
    found = report.findings if options.show_suppressed else report.active
    for finding in arranged(found, options.sort or "file", fold=False).shown:
        yield _line(finding, encoding)
    missing = [*map(str, gaps(report)), *map(crash_line, report.crashes)]
    if missing:
        yield [(visible(f"not analysed: {'; '.join(missing)}", encoding), "warning")]
    if options.quiet:
        return
    if report.remarks:
        yield [(visible(f"note: {'; '.join(report.remarks)}", encoding), "")]
    fixed = fixable(report)
    yield [(visible(f"nginxaudit: {verdict(report)}{f'; {fixed}' if fixed else ''}", encoding), "strong")]


def _line(finding: Finding, encoding: str) -> Line:
    span = finding.span
    mark = fix_mark(finding)
    return [
        (visible(span.file, encoding), "file"),
        (f":{span.line}:{span.column}: ", "frame"),
        ("suppressed " if finding.suppressed else "", "dim"),
        (finding.severity.label, "dim" if finding.suppressed else finding.severity.label),
        (visible(f" {finding.rule}: ", encoding), ""),
        (f"{mark} " if mark else "", "mark"),
        (visible(finding.claim, encoding), ""),
    ]
