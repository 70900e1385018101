"""A comparison as JSON."""

from __future__ import annotations

from typing import TextIO

from msgspec import to_builtins

from nginxaudit.report.strict_json import write as write_json
from nginxaudit.views.compare.view import Comparison

SCHEMA_VERSION = 1


def write(comparison: Comparison, stream: TextIO) -> None:
    """Write one document."""
    groups = [to_builtins(group) for group in comparison.groups]
    different = sum(len(group.requests) for group in comparison.groups)
    data = {
        "schema_version": SCHEMA_VERSION,
        "old": comparison.old,
        "new": comparison.new,
        "groups": groups,
        "summary": {"requests": comparison.count, "different": different},
    }
    write_json(stream, data, 4)
