"""Includes that are right for nginx and yet bring nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.nginx.names import BALANCED
from nginxaudit.syntax.tree import Config, Directive

_OPTIONAL = frozenset(
    {
        "conf.d", "conf.modules.d", "default.d", "events.d", "http.d", "main.d", "modules", "modules-enabled", "modules.d", "servers",
        "sites-enabled", "snippets", "stream.d", "streams-enabled", "vhosts.d",
    }
)  # fmt: skip
"""Directories that distributions create empty: nothing in them is nothing to talk about."""

_NO_CONFIGURATION = (
    ".bak", ".default", ".disabled", ".dist", ".example", ".j2", ".md", ".off", ".sample", ".template", ".tmpl", ".txt",
)  # fmt: skip
"""Ends of the names of files that are not meant to be included."""


def include_matches_nothing(ctx: CheckContext) -> Iterable[Hit]:
    """A pattern that matches no file; nginx says nothing to that."""
    config = ctx.model.config
    last = {
        node.parent: node for node in config.barren_includes
    }  # that a block is left without a server is told once
    for node in config.barren_includes:
        beside = config.beside_barren.get(node, ())
        bare = _serves_nothing(node) and node is last[node.parent]
        if not any(map(_may_be_meant, beside)) and (
            any(name.startswith(".git") for name in beside)
            or (_is_optional(node) and not (bare and config.in_place))
        ):
            continue
        yield Hit(
            whole(node),
            f'"{node.args[0]}" matches no file (nginx ignores this silently)',
            node,
            severity=Severity.WARNING
            if _serves_nothing(node) and (beside or _is_seen(node, config))
            else None,
            help="Correct the path, or delete the line.",
        )


def _is_seen(node: Directive, config: Config) -> bool:
    """Whether nginx finds the same: in a copy an absolute directory may be another one, or one that is mounted."""
    return config.in_place or not node.args[0].startswith("/")


def _is_optional(node: Directive) -> bool:
    """A directory that is often empty; in a copy that is kept in git it is not even there."""
    return os.path.basename(os.path.dirname(node.args[0])) in _OPTIONAL


def _may_be_meant(name: str) -> bool:
    """Whether a file that the pattern does not match may be one that should be included."""
    return not (name.startswith(".") or name.lower().endswith(_NO_CONFIGURATION) or name.upper() == "README")


def _serves_nothing(node: Directive) -> bool:
    """Whether the block the include stands in is left without any server."""
    block = node.parent
    if block is None or block.inner not in BALANCED:
        return False
    return not block.named("server")
