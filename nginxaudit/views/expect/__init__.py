"""Results of routing tests, for people and programs: one file per format."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from nginxaudit.views.expect.view import Results

FORMATS = ("text", "json", "junit", "github")
_MODULES = {"json": "data"}


def render_results(name: str, results: Results, stream: TextIO, *, color: bool | None = None) -> None:
    """Write ``results`` in the format ``name``."""
    module = import_module(f"nginxaudit.views.expect.{_MODULES.get(name, name)}")
    if name == "text":
        module.write(results, stream, color)
    else:
        module.write(results, stream)
