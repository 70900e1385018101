"""Definitions that nothing uses."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.model import Model
from nginxaudit.model.uses import variable_uses
from nginxaudit.nginx.names import MAPPING
from nginxaudit.syntax.tree import Directive, Token

_CODE = ("js_", "perl", "ssi", "set_by_", "mruby", "lua_")
"""Starts of directives of code and pages that read variables where the configuration does not show it."""


def unused_variable(ctx: CheckContext) -> Iterable[Hit]:
    """``map``, ``geo`` and ``split_clients`` whose variable nothing reads."""
    model = ctx.model
    if not model.config.is_whole or model.takes_more_files or _reads_elsewhere(model):
        return
    uses = model.once(variable_uses)
    for node in [node for name in MAPPING for node in model.config.named(name)]:
        variable = _defined(node)
        if variable is None or model.is_filled_in(node):
            continue
        found = uses.get((model.family_of(node), variable[1:].lower()), ())
        if all(token is _defined(user) for user, token in found):
            yield Hit(
                arg(node, variable),
                f"nothing uses {variable}",
                node,
                help=f"Use the variable, or delete the {node.name} block.",
            )


def _defined(node: Directive) -> Token | None:
    """The variable that a block defines: its last argument."""
    last = node.args[-1] if node.name in MAPPING and node.args else None
    return last if last is not None and last.startswith("$") else None


def _reads_elsewhere(model: Model) -> bool:
    return any(
        node.name.startswith(_CODE) or "_by_lua" in node.name or node.context == "unknown"
        for node in model.config.top.walk()
    )
