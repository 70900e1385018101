"""Which requests two configurations treat differently, for people and programs: one file per format."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from nginxaudit.views.compare.view import Comparison

FORMATS = ("text", "json", "markdown")
_MODULES = {"json": "data"}


def render_comparison(
    name: str, comparison: Comparison, stream: TextIO, *, color: bool | None = None
) -> None:
    """Write ``comparison`` in the format ``name``."""
    module = import_module(f"nginxaudit.views.compare.{_MODULES.get(name, name)}")
    if name == "text":
        module.write(comparison, stream, color)
    else:
        module.write(comparison, stream)
