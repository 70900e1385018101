"""Includes that are right for nginx and yet bring nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.nginx.names import BALANCED
from nginxaudit.syntax.tree import Directive

_OPTIONAL = frozenset(
    {
        "conf.d",
        "modules-enabled",
        "sites-enabled",
        "default.d",
        "stream.d",
        "streams-enabled",
        "modules.d",
        "http.d",
        "snippets",
    }
)
"""Directories that distributions create empty: nothing in them is nothing to talk about."""


def include_matches_nothing(ctx: CheckContext) -> Iterable[Hit]:
    """A pattern that matches no file; nginx says nothing to that."""
    barren = ctx.model.config.barren_includes
    last = {node.parent: node for node in barren}  # that a block is left without a server is told once
    for node in barren:
        parent = os.path.basename(os.path.dirname(node.args[0]))
        if parent in _OPTIONAL and not (_serves_nothing(ctx, node) and node is last[node.parent]):
            continue
        yield Hit(
            whole(node),
            f'"{node.args[0]}" matches no file, and nginx says nothing to that',
            node,
            severity=Severity.WARNING if _serves_nothing(ctx, node) else None,
            help="Correct the path, or delete the line.",
        )


def _serves_nothing(ctx: CheckContext, node: Directive) -> bool:
    """Whether the block the include stands in is left without any server."""
    block = node.parent
    if block is None or block.inner not in BALANCED:
        return False
    return not block.named("server")
