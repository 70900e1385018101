"""The ``rdjson`` format of reviewdog: diagnostics with suggestions that a reviewer can take over.

Documented at https://github.com/reviewdog/reviewdog/tree/master/proto/rdf. Columns count UTF-8 bytes there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from nginxaudit import HOME
from nginxaudit.finding import Fix, Severity
from nginxaudit.report.base import RenderOptions, in_checkout
from nginxaudit.report.coverage import crash_line, gaps, templates
from nginxaudit.report.masked import shareable
from nginxaudit.report.sanitize import visible
from nginxaudit.report.strict_json import write

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.finding import Finding
    from nginxaudit.source.text import SourceText

_LEVELS = {Severity.ERROR: "ERROR", Severity.WARNING: "WARNING", Severity.INFO: "INFO"}


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write one result with all diagnostics."""
    pages = {rule.slug: rule.url for rule in report.rules if rule.url}
    document = {
        "source": {"name": "nginxaudit", "url": HOME},
        "diagnostics": [
            *(_diagnostic(finding, report.sources, pages) for finding in report.active),
            *_lacking(report),
        ],
    }
    write(stream, document, depth=2)


def _diagnostic(
    finding: Finding, sources: Mapping[str, SourceText], pages: Mapping[str, str]
) -> dict[str, Any]:
    span = finding.span
    code = {"value": finding.rule, **({"url": pages[finding.rule]} if finding.rule in pages else {})}
    fix = shareable(finding.fix, sources)
    related = [
        {
            "message": visible(each.message),
            "location": {
                "path": _path(each.span.file),
                "range": _range(sources.get(each.span.file), each.span.start, each.span.end),
            },
        }
        for each in finding.related
    ]
    suggestions = list(_suggestions(fix, span.file, sources)) if fix else []
    return {
        "message": visible(finding.claim),
        "location": {
            "path": _path(span.file),
            "range": _range(sources.get(span.file), span.start, span.end),
        },
        "severity": _LEVELS[finding.severity],
        "code": code,
        **({"related_locations": related} if related else {}),
        **({"suggestions": suggestions} if suggestions else {}),
    }


def _suggestions(fix: Fix, file: str, sources: Mapping[str, SourceText]) -> Iterator[dict[str, Any]]:
    """Edits of the same file; a fix that changes several ones cannot be taken over by a click."""
    if all(edit.file == file for edit in fix.edits):
        for edit in fix.edits:
            yield {"range": _range(sources.get(file), edit.start, edit.end), "text": edit.text}


def _range(source: SourceText | None, start: int, end: int) -> dict[str, Any]:
    return {"start": _position(source, start), "end": _position(source, end)}


def _position(source: SourceText | None, offset: int) -> dict[str, int]:
    """1-based line, and column in UTF-8 bytes."""
    if source is None:
        return {"line": 1, "column": 1}
    line, column = source.position(min(offset, len(source.text)))
    start = source.line_starts[line - 1]
    before = source.text[start : start + column - 1]
    return {"line": line, "column": len(before.encode("utf-8", "surrogateescape")) + 1}


def _lacking(report: Report) -> Iterator[dict[str, Any]]:
    for gap in gaps(report):
        yield {
            "message": visible(f"not analysed: {gap.text}"),
            "location": {"path": _path(gap.place or ".")},
            "severity": "ERROR" if gap.place else "INFO",
        }
    for each in templates(report):
        yield {"message": each.text, "location": {"path": _path(each.place)}, "severity": "INFO"}
    for crash in report.crashes:
        yield {
            "message": crash_line(crash),
            "location": {"path": _path(crash.root)},
            "severity": "ERROR",
        }


def _path(path: str) -> str:
    """What reviewdog, which runs where nginxaudit does, takes for the file."""
    return in_checkout(path, from_here=True)
