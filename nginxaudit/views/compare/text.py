"""A comparison for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from nginxaudit.report.paint import Line, paint, wants_color
from nginxaudit.report.sanitize import visible
from nginxaudit.views.compare.view import Comparison

_WIDTH = 100
_SHOWN = 5


def write(comparison: Comparison, stream: TextIO, color: bool | None) -> None:
    """Write the groups, the largest first, each with a few of its requests."""
    paint(_lines(comparison), stream, color=wants_color(stream, color), width=_WIDTH)


def _lines(comparison: Comparison) -> Iterator[Line]:
    for group in comparison.groups:
        count = len(group.requests)
        yield [(visible(group.title), "strong"), (f"  {count} request{'s' if count != 1 else ''}", "dim")]
        for each in group.requests[:_SHOWN]:
            yield [(f"  {visible(each.request)}", "info")]
            yield [(f"    old  {visible(each.old)}", ""), (f"  {visible(each.old_place or '')}", "dim")]
            yield [(f"    new  {visible(each.new)}", ""), (f"  {visible(each.new_place or '')}", "dim")]
        if count > _SHOWN:
            yield [(f"  … and {count - _SHOWN} more", "dim")]
    yield [(comparison.summary, "warning" if comparison.groups else "good")]
