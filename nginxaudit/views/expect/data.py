"""Results as JSON."""

from __future__ import annotations

from typing import TextIO

from nginxaudit.report.strict_json import write as write_json
from nginxaudit.views.expect.view import Results

SCHEMA_VERSION = 1


def write(results: Results, stream: TextIO) -> None:
    """Write one document."""
    tests = [
        {
            "name": test.title,
            "file": test.file,
            "line": test.line,
            "passed": not test.failures,
            "failures": list(test.failures),
        }
        for test in results.tests
    ]
    reached = {
        kind: {"reached": counts[0], "all": counts[1]}
        for kind, counts in (("servers", results.servers), ("locations", results.locations))
    }
    summary = {"passed": len(tests) - results.failed, "failed": results.failed}
    data = {
        "schema_version": SCHEMA_VERSION,
        "tests": tests,
        "summary": summary,
        "coverage": {**reached, "missed": list(results.missed)},
    }
    write_json(stream, data, 2)
