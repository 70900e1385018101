"""The ``concise`` format: a line per finding, for grep, editors and logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from nginxaudit.report.base import RenderOptions
from nginxaudit.report.coverage import crash_line, gaps, verdict
from nginxaudit.report.sanitize import encoding_of, visible

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.finding import Finding


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write ``file:line:column: severity rule: message`` per finding, then what was not analysed, and a line of counts."""
    encoding = encoding_of(stream)
    shown = report.findings if options.show_suppressed else report.active
    stream.writelines(visible(_line(finding), encoding) + "\n" for finding in shown)
    missing = [*map(str, gaps(report)), *map(crash_line, report.crashes)]
    if missing:
        stream.write(visible(f"not analysed: {'; '.join(missing)}", encoding) + "\n")
    if report.remarks:
        stream.write(visible(f"note: {'; '.join(report.remarks)}", encoding) + "\n")
    stream.write(visible(f"nginxaudit: {verdict(report)}", encoding) + "\n")


def _line(finding: Finding) -> str:
    span = finding.span
    place = f"{span.file}:{span.line}:{span.column}"
    mark = "suppressed " if finding.suppressed else ""
    return f"{place}: {mark}{finding.severity.label} {finding.rule}: {finding.claim}"
