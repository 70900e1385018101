"""What a drill found, for people and programs: one file per format."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from nginxaudit.views.drill.view import Drilled

FORMATS = ("text", "json", "html")
_MODULES = {"json": "data", "html": "page"}


def render_drill(
    name: str,
    drilled: Drilled,
    stream: TextIO,
    *,
    color: bool | None = None,
    show_all: bool = False,
    title: str = "",
) -> None:
    """Write ``drilled`` in the format ``name``; ``show_all`` gives every scenario of the text its timeline, ``title`` is for html."""
    module = import_module(f"nginxaudit.views.drill.{_MODULES.get(name, name)}")
    if name == "text":
        module.write(drilled, stream, color, show_all=show_all)
    elif name == "html":
        module.write(drilled, stream, title)
    else:
        module.write(drilled, stream)
