"""The ``github`` format: workflow commands, which GitHub Actions shows as annotations.

Documented at https://docs.github.com/actions/reference/workflow-commands-for-github-actions. A command
is one line; what could end it or begin another one is escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from nginxaudit.finding import Severity
from nginxaudit.report.base import RenderOptions, in_checkout
from nginxaudit.report.coverage import crash_line, gaps, verdict
from nginxaudit.report.sanitize import visible

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.finding import Finding

_MOST_PLACES = 5
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write an annotation per finding and per thing that was not analysed, then a line of counts."""
    stream.writelines(_annotation(finding) + "\n" for finding in report.active)
    for gap in gaps(report):
        level = "error" if gap.place else "warning"
        place = f" file={_value(in_checkout(gap.place))}" if gap.place else ""
        stream.write(f"::{level}{place}::{_text(f'not analysed: {gap.text}')}\n")
    stream.writelines(f"::notice::{_text(remark)}\n" for remark in report.remarks)
    stream.writelines(f"::error::{_text(crash_line(crash))}\n" for crash in report.crashes)
    stream.write(f"nginxaudit: {verdict(report)}\n")


def _annotation(finding: Finding) -> str:
    span = finding.span
    values = {
        "file": in_checkout(span.file),
        "line": str(span.line),
        "endLine": str(span.end_line),
        # GitHub takes columns only where a single line is marked.
        **(
            {"col": str(span.column), "endColumn": str(span.end_column)} if span.line == span.end_line else {}
        ),
        "title": f"{finding.rule} ({finding.id})",
    }
    named = ",".join(f"{name}={_value(value)}" for name, value in values.items())
    help_ = f"\n{visible(finding.help)}" if finding.help else ""
    return (
        f"::{_COMMANDS[finding.severity]} {named}::{_text(finding.claim)}{_escape(help_ + _others(finding))}"
    )


def _others(finding: Finding) -> str:
    """Where the same is, too: an annotation has one place."""
    spans = [each.span for each in finding.parts[1:]]
    more = [f"and {len(spans) - _MOST_PLACES} more"] if len(spans) > _MOST_PLACES else []
    places = [f"{in_checkout(span.file)}:{span.line}" for span in spans[:_MOST_PLACES]]
    return f"\nAlso at {visible(', '.join([*places, *more]))}" if spans else ""


def annotation(level: str, values: dict[str, str], text: str) -> str:
    """One command: ``file`` among its values is made relative to the checkout, lines of the text stay apart."""
    shown = {name: in_checkout(value) if name == "file" else value for name, value in values.items()}
    named = ",".join(f"{name}={_value(value)}" for name, value in shown.items())
    return f"::{level} {named}::{'%0A'.join(map(_text, text.splitlines()))}"


def _text(text: str) -> str:
    return _escape(visible(text))


def _value(text: str) -> str:
    return _escape(visible(text)).replace(":", "%3A").replace(",", "%2C")


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
