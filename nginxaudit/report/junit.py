"""The ``junit`` format: a test suite per file, for everything that shows test results.

The form is what the xUnit plugin of Jenkins accepts (its schema junit-10.xsd), the strictest of its readers. A finding that does not fail the run is a
test that passed, with its message as output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO
from xml.etree.ElementTree import Element, SubElement

from nginxaudit.report.base import RenderOptions
from nginxaudit.report.coverage import crash_line, gaps, templates
from nginxaudit.report.xml import attribute, write

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.finding import Finding


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write all files: with their findings, or with one test that passed."""
    by_file: dict[str, list[Finding]] = {file.path: [] for file in report.files if file.analysed}
    for finding in report.active:
        by_file.setdefault(finding.span.file, []).append(finding)
    top = Element("testsuites", name=attribute(f"nginxaudit, for {report.target}"))
    totals = [0, 0, 0]
    for path, findings in by_file.items():
        failing = [
            each for each in findings if options.fail_on is not None and each.severity >= options.fail_on
        ]
        suite = _suite(top, path, max(len(findings), 1), len(failing), 0)
        totals[0] += max(len(findings), 1)
        totals[1] += len(failing)
        if not findings:
            SubElement(suite, "testcase", name="no findings", classname=attribute(path))
        for finding in findings:
            _case(suite, finding, fails=finding in failing)
    lacking = [(str(gap), bool(gap.place)) for gap in gaps(report)]
    lacking += [(str(each), False) for each in templates(report)]
    lacking += [(crash_line(crash), True) for crash in report.crashes]
    if lacking:
        errors = sum(is_error for _, is_error in lacking)
        suite = _suite(top, "not analysed", len(lacking), 0, errors)
        totals = [totals[0] + len(lacking), totals[1], errors]
        for text, is_error in lacking:
            case = SubElement(suite, "testcase", name="analysed", classname="nginxaudit")
            SubElement(case, "error" if is_error else "skipped", message=attribute(text))
    for name, number in zip(("tests", "failures", "errors"), totals, strict=True):
        top.set(name, str(number))
    write(top, stream)


def _suite(top: Element, name: str, tests: int, failures: int, errors: int) -> Element:
    return SubElement(
        top, "testsuite", name=attribute(name), tests=str(tests), failures=str(failures), errors=str(errors)
    )


def _case(suite: Element, finding: Finding, *, fails: bool) -> None:
    span = finding.span
    place = f"{span.file}:{span.line}:{span.column}"
    case = SubElement(
        suite,
        "testcase",
        name=attribute(f"{finding.rule} at line {span.line}, column {span.column}"),
        classname=attribute(span.file),
    )
    text = f"{place}: {finding.severity.label} {finding.rule}: {finding.claim}"
    text = f"{text}\n{finding.help}" if finding.help else text
    if fails:
        failure = SubElement(case, "failure", message=attribute(finding.claim), type=finding.severity.label)
        failure.text = attribute(text)
    else:
        SubElement(case, "system-out").text = attribute(text)
