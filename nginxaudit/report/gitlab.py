"""The ``gitlab`` format: a Code Quality report.

Documented at https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from nginxaudit.finding import Severity
from nginxaudit.report.base import RenderOptions, in_checkout
from nginxaudit.report.coverage import crash_line, gaps, templates
from nginxaudit.report.sanitize import visible
from nginxaudit.report.strict_json import write

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.INFO: "minor"}


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write one array; what was not analysed is in it, too."""
    write(stream, list(_issues(report)), depth=1)


def _issues(report: Report) -> Iterator[dict[str, Any]]:
    for finding in report.active:
        severity = "blocker" if finding.rejected_by_nginx else _SEVERITIES[finding.severity]
        yield _issue(
            finding.rule, finding.claim, severity, finding.span.file, finding.span.line, finding.fingerprint
        )
    for gap in gaps(report):
        severity = "blocker" if gap.place else "info"  # without a place: a note, nothing that was asked for
        yield _issue("not-analysed", str(gap), severity, gap.place or ".", 1, str(gap))
    for each in templates(report):
        yield _issue("not-analysed", str(each), "info", each.place, 1, str(each))
    for crash in report.crashes:
        yield _issue("internal-error", crash_line(crash), "blocker", crash.root, 1, crash_line(crash))


def _issue(check: str, text: str, severity: str, path: str, line: int, identity: str) -> dict[str, Any]:
    from hashlib import sha256

    path = in_checkout(path)
    digest = sha256(f"{check}\0{path}\0{identity}".encode("utf-8", "surrogateescape")).hexdigest()
    return {
        "description": f"{check}: {visible(text)}",
        "check_name": check,
        "fingerprint": digest,  # one per file: the same finding in two files is two issues
        "severity": severity,
        "location": {"path": path, "lines": {"begin": line}},
    }
