"""SARIF 2.1.0 for GitHub code scanning and other consumers. Deterministic: no times, no host names."""

from __future__ import annotations

import json
import os
from enum import Enum
from hashlib import sha256
from typing import Any, TextIO
from urllib.parse import quote

import attr
import sarif_om as om

import nginxaudit
from nginxaudit.engine.pages import read_page
from nginxaudit.engine.report import Report
from nginxaudit.engine.rule import Rule
from nginxaudit.finding import Finding, Fix, Severity, Span
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.sanitize import unicode_only
from nginxaudit.report.summary import not_analysed

_SCHEMA = (
    "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/main/sarif-2.1/schema/sarif-schema-2.1.0.json"
)
_HOME = "https://github.com/nginxaudit/nginxaudit"
_ROOT = "%SRCROOT%"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SECURITY = {Severity.ERROR: "8.0", Severity.WARNING: "5.5", Severity.INFO: "3.0"}
_SECURITY_CATEGORIES = frozenset({"security", "tls"})
_CONTEXT_LINES = 2
_MAX_SNIPPET = 2000  # code points; a line of a generated configuration may have a megabyte


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write the report as one SARIF run."""
    log = om.SarifLog(version="2.1.0", schema_uri=_SCHEMA, runs=[_Run(report).build()])
    json.dump(_plain(log), stream, indent=2, ensure_ascii=False)
    stream.write("\n")


class _Run:
    def __init__(self, report: Report) -> None:
        self._report = report
        self._index = {rule.slug: number for number, rule in enumerate(report.rules)}
        self._line_hashes: dict[tuple[str, str], int] = {}
        self._hash_of: dict[tuple[str, int], str] = {}

    def build(self) -> om.Run:
        report = self._report
        return om.Run(
            tool=om.Tool(
                driver=om.ToolComponent(
                    name="nginxaudit",
                    version=nginxaudit.__version__,
                    semantic_version=nginxaudit.__version__,
                    information_uri=_HOME,
                    rules=[_descriptor(rule) for rule in report.rules],
                )
            ),
            original_uri_base_ids={
                _ROOT: om.ArtifactLocation(
                    description=om.Message(text="The directory in which nginxaudit was started.")
                )
            },
            artifacts=[om.Artifact(location=_artifact(file.path)) for file in report.files],
            invocations=[self._invocation()],
            results=[self._result(finding) for finding in report.findings],
            column_kind="unicodeCodePoints",
            automation_details=om.RunAutomationDetails(
                id=f"nginxaudit/{report.edition}-{report.nginx_version}/"
            ),
        )

    def _invocation(self) -> om.Invocation:
        report = self._report
        notifications = [
            om.Notification(level="error" if not_whole else "note", message=om.Message(text=_sentence(line)))
            for line, not_whole in _notices(report)
        ]
        return om.Invocation(
            execution_successful=not (report.incomplete or report.crashes),
            tool_execution_notifications=notifications or None,
        )

    def _result(self, finding: Finding) -> om.Result:
        return om.Result(
            rule_id=finding.id,
            rule_index=self._index.get(finding.rule, -1),
            level=_LEVELS[finding.severity],
            message=om.Message(text=_sentence(finding.message)),
            locations=[om.Location(physical_location=self._physical(finding.span, context=True))],
            related_locations=[
                om.Location(
                    id=number,
                    message=om.Message(text=_sentence(related.message)),
                    physical_location=self._physical(related.span, context=False),
                )
                for number, related in enumerate(finding.related, 1)
            ]
            or None,
            partial_fingerprints={
                "primaryLocationLineHash": self._line_hash(finding.span),
                "nginxaudit/v1": finding.fingerprint,
            },
            suppressions=_suppressions(finding),
            fixes=[self._fix(finding.fix)] if finding.fix else None,
            properties={
                "confidence": finding.confidence.label,
                "rejectedByNginx": finding.rejected_by_nginx,
            },
        )

    def _physical(self, span: Span, *, context: bool) -> om.PhysicalLocation:
        source = self._report.sources.get(span.file)
        snippet = source.text[span.start : span.end] if source else ""
        location = om.PhysicalLocation(
            artifact_location=_artifact(span.file),
            region=om.Region(
                start_line=span.line,
                start_column=span.column,
                end_line=span.end_line,
                end_column=span.end_column,
                snippet=_content(snippet),
            ),
        )
        if context and source is not None:
            first = max(1, span.line - _CONTEXT_LINES)
            last = min(len(source.line_starts), span.end_line + _CONTEXT_LINES)
            text = "\n".join(source.line(number) for number in range(first, last + 1))
            location.context_region = om.Region(start_line=first, end_line=last, snippet=_content(text))
        return location

    def _line_hash(self, span: Span) -> str:
        """Hash of the place's line without blanks, and how often that line came before in the file.

        A finding keeps it when lines above change, which is what GitHub matches alerts by.
        """
        place = span.file, span.line
        known = self._hash_of.get(place)
        if known is None:
            source = self._report.sources.get(span.file)
            line = source.line(span.line) if source else ""
            digest = sha256("".join(line.split()).encode("utf-8", "replace")).hexdigest()[:16]
            number = self._line_hashes[span.file, digest] = self._line_hashes.get((span.file, digest), 0) + 1
            known = self._hash_of[place] = f"{digest}:{number}"
        return known

    def _fix(self, fix: Fix) -> om.Fix:
        changes: dict[str, list[om.Replacement]] = {}
        for edit in fix.edits:
            source = self._report.sources[edit.file]
            span = source.span(edit.start, edit.end)
            changes.setdefault(edit.file, []).append(
                om.Replacement(
                    deleted_region=om.Region(
                        start_line=span.line,
                        start_column=span.column,
                        end_line=span.end_line,
                        end_column=span.end_column,
                    ),
                    inserted_content=om.ArtifactContent(text=unicode_only(edit.text)),
                )
            )
        return om.Fix(
            description=om.Message(text=_sentence(fix.title)),
            artifact_changes=[
                om.ArtifactChange(artifact_location=_artifact(file), replacements=replacements)
                for file, replacements in changes.items()
            ],
        )


def _descriptor(rule: Rule) -> om.ReportingDescriptor:
    page = read_page(rule).body.strip()
    properties: dict[str, Any] = {
        "tags": [rule.category, *rule.tags, *(f"external/cwe/cwe-{number:03}" for number in rule.cwe)],
        "precision": rule.confidence.label,
        "problem.severity": {Severity.INFO: "recommendation"}.get(rule.severity, rule.severity.label),
    }
    if rule.category in _SECURITY_CATEGORIES:
        properties["tags"].insert(0, "security") if rule.category != "security" else None
        properties["security-severity"] = _SECURITY[rule.severity]
    return om.ReportingDescriptor(
        id=rule.id,
        name="".join(word.capitalize() for word in rule.slug.split("-")),
        short_description=om.MultiformatMessageString(text=_sentence(rule.title)),
        full_description=om.MultiformatMessageString(text=_sentence(f"{rule.what} {rule.why}")),
        help=om.MultiformatMessageString(text=_plain_text(page), markdown=page),
        help_uri=f"{_HOME}/blob/main/rules/{rule.category}/{rule.slug}.md",
        default_configuration=om.ReportingConfiguration(level=_LEVELS[rule.severity]),
        properties=properties,
    )


def _plain_text(markdown: str) -> str:
    lines = (line.lstrip("#").strip() if line.startswith("#") else line for line in markdown.splitlines())
    return "\n".join(line for line in lines if not line.startswith("```"))


def _suppressions(finding: Finding) -> list[om.Suppression] | None:
    if finding.suppressed is None:
        return None
    kind = "inSource" if finding.suppressed.kind == "inline" else "external"
    return [om.Suppression(kind=kind, justification=unicode_only(finding.suppressed.reason))]


def _notices(report: Report) -> list[tuple[str, bool]]:
    notes = set(report.notes)
    return [(line, line not in notes) for line in not_analysed(report)]


def _artifact(path: str) -> om.ArtifactLocation:
    """Relative to the current directory where it lies below it, else an absolute file URI."""
    if os.path.isabs(path):
        relative = os.path.relpath(path)
        if relative.startswith(".."):
            return om.ArtifactLocation(uri="file://" + _quoted(path))
        path = relative
    if path.startswith(".."):
        return om.ArtifactLocation(uri="file://" + _quoted(os.path.abspath(path)))
    return om.ArtifactLocation(uri=_quoted(path), uri_base_id=_ROOT)


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"), safe="/:@!$&'()*+,;=~-._")


def _content(text: str) -> om.ArtifactContent:
    return om.ArtifactContent(text=unicode_only(text[:_MAX_SNIPPET]))


def _sentence(text: str) -> str:
    text = unicode_only(text).strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _plain(value: Any) -> Any:
    """sarif-om objects as plain data under their SARIF names, without what was not set."""
    if attr.has(type(value)):
        data = {}
        for field in attr.fields(type(value)):
            content = getattr(value, field.name)
            if content is not None and content != field.default:
                data[field.metadata.get("schema_property_name", field.name)] = _plain(content)
        return data
    if isinstance(value, dict):
        return {key: _plain(content) for key, content in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(content) for content in value]
    return value.value if isinstance(value, Enum) else value
