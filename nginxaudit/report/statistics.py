"""``--statistics``: how often each rule found something, instead of the findings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TextIO

from nginxaudit.finding import Applicability, Severity
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.coverage import crash_line, gaps, verdict
from nginxaudit.report.paint import Line, paint, wants_color, width_for
from nginxaudit.report.sanitize import encoding_of, visible
from nginxaudit.report.strict_json import write

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report

FORMATS = ("text", "json")


def render_statistics(name: str, report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write a line per rule, the most frequent first; ``name`` is one of `FORMATS`."""
    rows = _rows(report)
    if name == "json":
        write(stream, rows, depth=1)
        return
    encoding = encoding_of(stream)
    lines: list[Line] = []
    for row in rows:
        mark = "*" if row["fixable"] else "~" if row["suggestions"] else " "
        severity = str(row["severity"])
        lines.append(
            [
                (f"{row['count']:>7,} ", "strong"),
                (f"[{mark}] ", "dim"),
                (f"{severity:<8}", severity),
                (str(row["rule"]), ""),
            ]
        )
    if any(row["fixable"] for row in rows):
        lines.append([("[*] --fix fixes them, or some of them", "dim")])
    if any(row["suggestions"] and not row["fixable"] for row in rows):
        lines.append([("[~] --fix --unsafe-fixes applies suggestions for them", "dim")])
    lines.append([(visible(verdict(report), encoding), "")])
    missing = [*map(str, gaps(report)), *map(crash_line, report.crashes)]
    if missing:
        lines.append([(visible(f"Not analysed: {'; '.join(missing)}", encoding), "warning")])
    paint(lines, stream, color=wants_color(stream, options.color), width=width_for(stream, options))


def _rows(report: Report) -> list[dict[str, object]]:
    counts = Counter(finding.rule for finding in report.active)
    worst: dict[str, Severity] = {}
    fixes: Counter[tuple[str, Applicability]] = Counter()
    for finding in report.active:
        worst[finding.rule] = max(finding.severity, worst.get(finding.rule, finding.severity))
        if finding.fix is not None:
            fixes[finding.rule, finding.fix.applicability] += 1
    return [
        {
            "rule": rule,
            "severity": worst[rule].label,
            "count": count,
            "fixable": fixes[rule, Applicability.SAFE],
            "suggestions": fixes[rule, Applicability.UNSAFE],
        }
        for rule, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
