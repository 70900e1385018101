"""Results as JUnit: a suite per file of tests."""

from __future__ import annotations

from typing import TextIO
from xml.etree.ElementTree import Element, SubElement

from nginxaudit.report.xml import attribute
from nginxaudit.report.xml import write as write_xml
from nginxaudit.views.expect.view import Results


def write(results: Results, stream: TextIO) -> None:
    """Write all suites."""
    top = Element(
        "testsuites",
        name="nginxaudit expect",
        tests=str(len(results.tests)),
        failures=str(results.failed),
        errors="0",
    )
    for path in dict.fromkeys(test.file for test in results.tests):
        tests = [test for test in results.tests if test.file == path]
        failed = sum(bool(test.failures) for test in tests)
        suite = SubElement(
            top, "testsuite", name=attribute(path), tests=str(len(tests)), failures=str(failed), errors="0"
        )
        for test in tests:
            case = SubElement(
                suite, "testcase", name=attribute(test.title), classname=attribute(f"{path}:{test.line}")
            )
            if test.failures:
                failure = SubElement(case, "failure", message=attribute(test.failures[0]), type="expectation")
                failure.text = attribute("\n".join(test.lines))
    write_xml(top, stream)
