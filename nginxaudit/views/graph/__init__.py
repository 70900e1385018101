"""The graph of a configuration for people and programs: one file per format."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from nginxaudit.views.graph.view import GraphView

FORMATS = ("text", "json", "dot", "mermaid", "svg", "html")
_MODULES = {"json": "data", "html": "page"}


def render_graph(
    name: str, views: Sequence[GraphView], stream: TextIO, *, color: bool | None = None, title: str = ""
) -> None:
    """Write ``views``, one per configuration, in the format ``name``; ``title`` is for html."""
    module = import_module(f"nginxaudit.views.graph.{_MODULES.get(name, name)}")
    if name == "text":
        module.write(views, stream, color)
    elif name == "html":
        module.write(views, stream, title)
    else:
        module.write(views, stream)
