"""The ``checkstyle`` format, which many CI servers and review tools read."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO
from xml.etree.ElementTree import Element, SubElement

from nginxaudit.report.base import RenderOptions
from nginxaudit.report.coverage import crash_line, gaps, templates
from nginxaudit.report.xml import attribute, write

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write an element per file, those without findings, too."""
    top = Element("checkstyle", version="10.0")
    files: dict[str, Element] = {}

    def file(path: str) -> Element:
        if path not in files:
            files[path] = SubElement(top, "file", name=attribute(path))
        return files[path]

    for each in report.files:
        file(each.path)
    for finding in report.active:
        SubElement(
            file(finding.span.file),
            "error",
            line=str(finding.span.line),
            column=str(finding.span.column),
            severity=finding.severity.label,
            message=attribute(finding.claim),
            source=f"nginxaudit.{finding.category}.{finding.rule}",
        )
    for gap in gaps(report):
        _not_analysed(file(gap.place or "."), gap.text, "error" if gap.place else "info")
    for template in templates(report):
        _not_analysed(file(template.place), template.text, "info")
    for crash in report.crashes:
        _not_analysed(file(crash.root), crash_line(crash), "error")
    write(top, stream)


def _not_analysed(file: Element, text: str, severity: str) -> None:
    SubElement(
        file, "error", line="1", severity=severity, message=attribute(text), source="nginxaudit.not-analysed"
    )
