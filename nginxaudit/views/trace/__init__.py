"""What happens to requests, for people and programs: one file per format."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from nginxaudit.views.trace.view import TraceView

FORMATS = ("text", "json", "html", "mermaid")
_MODULES = {"json": "data", "html": "page"}


def render_traces(
    name: str, views: Iterable[TraceView], stream: TextIO, *, color: bool | None = None
) -> None:
    """Write ``views`` in the format ``name``."""
    module = import_module(f"nginxaudit.views.trace.{_MODULES.get(name, name)}")
    if name == "text":
        module.write(views, stream, color)
    else:
        module.write(views, stream)
