"""The ``markdown`` format: a comment for a pull request, short enough for GitHub and GitLab."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, TextIO

from nginxaudit.finding import Severity
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.coverage import crash_line, gaps, verdict
from nginxaudit.report.sanitize import visible

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.engine.rules.rule import Rule
    from nginxaudit.finding import Finding

_MARKS = {
    Severity.ERROR: "❌ error",
    Severity.WARNING: "⚠️ warning",
    Severity.INFO: "\N{INFORMATION SOURCE}\ufe0f info",
}
_ACTIVE = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&])")  # what Markdown, HTML or a mention would be made of
_MOST = 60_000  # of the 65,536 characters of a comment on GitHub


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write counts and a table per file; what does not fit into a comment is counted."""
    rules = {rule.slug: rule for rule in report.rules}
    head = f"### nginxaudit\n\n{verdict(report)}\n"
    stream.write(head)
    size, written = len(head), 0
    for line, count in _lines(report, rules):
        if size + len(line) > _MOST:
            left = len(report.active) - written
            stream.write(f"\n… and {left:,} more findings, which do not fit into a comment.\n")
            break
        stream.write(line)
        size += len(line)
        written += count
    missing = [*map(str, gaps(report)), *map(crash_line, report.crashes)]
    if missing:
        stream.write("\n**Not analysed**\n\n")
        stream.writelines(f"- {_escape(text)}\n" for text in missing[:20])
        if len(missing) > 20:
            stream.write(f"- … and {len(missing) - 20:,} more\n")
    if report.remarks:
        stream.write("\n**Notes**\n\n")
        stream.writelines(f"- {_escape(text)}\n" for text in report.remarks[:20])


def _lines(report: Report, rules: dict[str, Rule]) -> Iterator[tuple[str, int]]:
    """The tables, a row at a time, each with the number of findings in it."""
    for file, group in groupby(report.active, key=lambda finding: finding.span.file):
        findings = sorted(group, key=lambda finding: -finding.severity.rank)
        counts = Counter(finding.severity for finding in findings)
        words = ", ".join(f"{counts[each]} {each.label}" for each in sorted(counts, reverse=True))
        yield (
            f"\n<details open><summary><code>{_html(file)}</code> ({words})</summary>\n\n"
            "| line | severity | rule | finding |\n|---:|---|---|---|\n",
            0,
        )
        yield from ((_row(finding, rules.get(finding.rule)), 1) for finding in findings)
        yield "\n</details>\n", 0


def _row(finding: Finding, rule: Rule | None) -> str:
    name = f"`{finding.rule}`"
    if rule is not None and rule.url:
        name = f"[{name}]({rule.url})"
    text = _escape(finding.claim)
    if finding.help:
        text += f"<br>→ {_escape(finding.help)}"
    return f"| {finding.span.line} | {_MARKS[finding.severity]} | {name} | {text} |\n"


def _escape(text: str) -> str:
    return _ACTIVE.sub(r"\\\1", visible(text))


def _html(text: str) -> str:
    from html import escape

    return escape(visible(text)).replace("|", "&#124;")
