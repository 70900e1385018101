"""How every group balances and fails over, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from nginxaudit.views.upstreams.view import UpstreamView

FORMATS = ("text", "json")


def render_upstreams(
    name: str, views: Sequence[UpstreamView], stream: TextIO, *, color: bool | None = None
) -> None:
    """Write ``views`` in the format ``name``."""
    module = import_module(f"nginxaudit.views.upstreams.{'data' if name == 'json' else name}")
    if name == "text":
        module.write(views, stream, color)
    else:
        module.write(views, stream)
