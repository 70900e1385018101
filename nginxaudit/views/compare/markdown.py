"""A comparison as Markdown, for a comment on a pull request."""

from __future__ import annotations

from html import escape
from typing import TextIO

from nginxaudit.report.sanitize import visible
from nginxaudit.views.compare.view import Comparison

_SHOWN = 10


def write(comparison: Comparison, stream: TextIO) -> None:
    """Write a table for each group."""
    stream.write(f"**nginxaudit compare**: {comparison.summary}\n")
    for group in comparison.groups:
        stream.write(f"\n{code(group.title)}\n\n| request | old | new |\n|---|---|---|\n")
        for each in group.requests[:_SHOWN]:
            stream.write(f"| {code(each.request)} | {code(each.old)} | {code(each.new)} |\n")
        if len(group.requests) > _SHOWN:
            stream.write(f"\n… and {len(group.requests) - _SHOWN} more\n")


def code(text: str) -> str:
    """A text in which nothing of Markdown, of a table or of HTML acts."""
    return f"<code>{escape(visible(text)).replace('|', '&#124;').replace('`', '&#96;').replace('@', '&#64;')}</code>"
