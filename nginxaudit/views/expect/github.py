"""Results as annotations of GitHub Actions."""

from __future__ import annotations

from typing import TextIO

from nginxaudit.report.github import annotation
from nginxaudit.views.expect.view import Results


def write(results: Results, stream: TextIO) -> None:
    """Write an annotation for each test that failed, then the counts."""
    for test in results.tests:
        if test.failures:
            values = {"file": test.file, "line": str(test.line), "title": test.title}
            stream.write(annotation("error", values, "\n".join(test.lines)) + "\n")
    stream.write(f"nginxaudit: {results.summary}\n")
