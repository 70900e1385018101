"""The groups as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from msgspec import to_builtins

from nginxaudit.report.strict_json import write as write_json
from nginxaudit.views.upstreams.view import UpstreamView

SCHEMA_VERSION = 1


def write(views: Sequence[UpstreamView], stream: TextIO) -> None:
    """Write all ``views`` as one document."""
    found = []
    for view in views:
        data = to_builtins(view)
        data["findings"] = [
            {
                "rule": each.rule,
                "severity": each.severity.label,
                "message": each.claim,
                "file": each.span.file,
                "line": each.span.line,
            }
            for each in view.findings
        ]
        found.append(data)
    write_json(stream, {"schema_version": SCHEMA_VERSION, "upstreams": found}, 4)
