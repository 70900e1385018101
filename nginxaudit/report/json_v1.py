"""The ``json`` format, version 1. Its schema is ``schema/nginxaudit.schema.json``.

Keys are never removed or given another meaning within a version. Undecodable bytes of a
configuration are U+FFFD here, as JSON has no way to hold them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

import nginxaudit
from nginxaudit.engine.rules.standards import controls_of
from nginxaudit.finding import Severity
from nginxaudit.report.base import RenderOptions, remedy_of, versions_of, why_of, witness_of
from nginxaudit.report.coverage import crash_line
from nginxaudit.report.masked import shareable
from nginxaudit.report.strict_json import write

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.engine.rules.rule import Rule
    from nginxaudit.finding import Finding, Fix, Span
    from nginxaudit.source.text import SourceText

SCHEMA_VERSION = 1


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write the whole report, suppressed findings included, a finding a line."""
    write(stream, document(report), depth=2)


def document(report: Report) -> dict[str, Any]:
    """The report as plain data, keys in the order they are written."""
    counts = Counter(finding.severity for finding in report.active)
    files = list(_files(report))
    rules = {rule.slug: rule for rule in report.rules}
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {
            "name": "nginxaudit",
            "version": nginxaudit.__version__,
            "nginx_version": report.nginx_version,
            **({} if report.nginx_versions is None else {"nginx_versions": list(report.nginx_versions)}),
            "edition": report.edition,
            **({} if report.edition_version is None else {"edition_version": report.edition_version}),
        },
        "facts": {
            "directives": {"nginx": report.facts.nginx, "date": report.facts.nginx_date},
            "advisories": {"date": report.facts.advisories or None},
        },
        "findings": [
            _finding(finding, report.sources, rules.get(finding.rule)) for finding in report.findings
        ],
        "files": files,
        "summary": {
            **{severity.label: counts[severity] for severity in sorted(Severity, reverse=True)},
            "suppressed": len(report.findings) - len(report.active),
            "files": len(files),
        },
        "notes": list(report.notes),
        "remarks": list(report.remarks),
    }


def _finding(finding: Finding, sources: Mapping[str, SourceText], rule: Rule | None) -> dict[str, Any]:
    suppressed = finding.suppressed
    return {
        "id": finding.id,
        "rule": finding.rule,
        "category": finding.category,
        "severity": finding.severity.label,
        "confidence": finding.confidence.label,
        "message": finding.message,
        "why": why_of(finding, rule),
        "help": remedy_of(finding, rule),
        "url": "" if rule is None else rule.url,
        "cwe": [] if rule is None else list(rule.cwe),
        "standards": controls_of(finding.rule),
        "rejected_by_nginx": finding.rejected_by_nginx,
        "fingerprint": finding.fingerprint,
        "location": _location(finding.span),
        "related": [{"message": each.message, **_location(each.span)} for each in finding.related],
        "fix": None if (fix := shareable(finding.fix, sources)) is None else _fix(fix),
        "suppressed": None if suppressed is None else {"kind": suppressed.kind, "reason": suppressed.reason},
        **({} if finding.versions is None else {"versions": versions_of(finding.versions)}),
        **({} if finding.witness is None else {"witness": witness_of(finding.witness)}),
    }


def _location(span: Span) -> dict[str, Any]:
    return {
        "file": span.file,
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
            {"file": edit.file, "start": edit.start, "end": edit.end, "text": edit.text} for edit in fix.edits
        ],
    }


def _files(report: Report) -> Iterator[dict[str, Any]]:
    """Input files. One whose analysis a rule broke off was not analysed, whatever the rest found."""
    crashes: dict[str, list[str]] = {}
    for crash in report.crashes:
        crashes.setdefault(crash.root, []).append(crash_line(crash))
    for file in report.files:
        errors = [*file.errors, *crashes.pop(file.path, ())]
        broken = len(errors) > len(file.errors)
        entry = {"path": file.path, "analysed": file.analysed and not broken, "errors": errors}
        yield {**entry, "template": True} if file.template else entry
    for root, errors in crashes.items():
        yield {"path": root, "analysed": False, "errors": errors}
