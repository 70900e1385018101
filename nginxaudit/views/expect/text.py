"""Results for a terminal: a line for each test that failed, then the counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from nginxaudit.report.paint import Line, paint, wants_color
from nginxaudit.report.sanitize import visible
from nginxaudit.views.expect.view import Results

_WIDTH = 100


def write(results: Results, stream: TextIO, color: bool | None) -> None:
    """Write failures, and what no test reaches where that is asked."""
    paint(_lines(results), stream, color=wants_color(stream, color), width=_WIDTH)


def _lines(results: Results) -> Iterator[Line]:
    for test in results.tests:
        if test.failures:
            yield [
                ("FAILED ", "error"),
                (visible(test.title), "strong"),
                (f"  {visible(test.file)}:{test.line}", "dim"),
            ]
            for failure in test.lines:
                yield [(f"  {visible(failure)}", "")]
    if results.show_missed and results.missed:
        yield [("Reached by no test:", "strong")]
        for missed in results.missed:
            yield [(f"  {visible(missed)}", "dim")]
    yield [(results.summary, "error" if results.failed else "good")]
