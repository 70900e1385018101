"""The stable, versioned JSON format.

Texts with bytes that are no UTF-8 have U+FFFD in their place: JSON knows no lone surrogates.
"""

from __future__ import annotations

import json
from typing import Any, TextIO

import nginxaudit
from nginxaudit.engine.report import Report
from nginxaudit.finding import Finding, Fix, Severity, Span
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.sanitize import unicode_only

SCHEMA_VERSION = 1


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write the report; suppressed findings are always part of it."""
    json.dump(as_data(report), stream, indent=2, ensure_ascii=False)
    stream.write("\n")


def as_data(report: Report) -> dict[str, Any]:
    """The report as JSON-able data."""
    active = report.active
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {
            "name": "nginxaudit",
            "version": nginxaudit.__version__,
            "nginx_version": report.nginx_version,
            "edition": report.edition,
        },
        "findings": [_finding(finding) for finding in report.findings],
        "files": [
            {
                "path": unicode_only(file.path),
                "analysed": file.analysed,
                "errors": [unicode_only(error) for error in file.errors],
            }
            for file in report.files
        ],
        "summary": {
            **{
                level.label: sum(1 for each in active if each.severity is level)
                for level in reversed(Severity)
            },
            "suppressed": len(report.findings) - len(active),
            "files": len(report.files),
        },
    }


def _finding(finding: Finding) -> dict[str, Any]:
    suppressed = finding.suppressed
    return {
        "id": finding.id,
        "rule": finding.rule,
        "category": finding.category,
        "severity": finding.severity.label,
        "confidence": finding.confidence.label,
        "message": unicode_only(finding.message),
        "rejected_by_nginx": finding.rejected_by_nginx,
        "fingerprint": finding.fingerprint,
        "location": _location(finding.span),
        "related": [
            {"message": unicode_only(related.message), **_location(related.span)}
            for related in finding.related
        ],
        "fix": _fix(finding.fix) if finding.fix else None,
        "suppressed": {"kind": suppressed.kind, "reason": unicode_only(suppressed.reason)}
        if suppressed
        else None,
    }


def _location(span: Span) -> dict[str, Any]:
    return {
        "file": unicode_only(span.file),
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "title": fix.title,
        "applicability": fix.applicability.value,
        "edits": [
            {
                "file": unicode_only(edit.file),
                "start": edit.start,
                "end": edit.end,
                "text": unicode_only(edit.text),
            }
            for edit in fix.edits
        ],
    }
