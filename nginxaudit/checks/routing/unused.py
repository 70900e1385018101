"""Definitions that nothing uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.model import Model
from nginxaudit.nginx.names import MAPPING
from nginxaudit.syntax.tree import Directive, Token

_USE = re.compile(r"\$\{?(\w+)")
_CODE = ("js_", "perl", "ssi", "set_by_", "mruby", "lua_")
"""Starts of directives of code and pages that read variables where the configuration does not show it."""


def unused_variable(ctx: CheckContext) -> Iterable[Hit]:
    """``map``, ``geo`` and ``split_clients`` whose variable nothing reads."""
    model = ctx.model
    if not model.config.is_whole or model.takes_more_files or _reads_elsewhere(model):
        return
    used = {
        (model.family_of(node), name.lower())
        for node, token in model.texts
        if node.name not in MAPPING
        for name in _USE.findall(token)
    }
    made = [(node, token) for name in MAPPING for node in model.config.named(name) for token in _made(node)]
    used.update(
        (model.family_of(node), name.lower())
        for node, variable in made
        for token in node.args
        if token is not variable
        for name in _USE.findall(token)
    )
    for node, token in made:
        if (model.family_of(node), token[1:].lower()) not in used and not model.is_filled_in(node):
            yield Hit(
                arg(node, token),
                f"nothing uses {token}",
                node,
                help=f"Use the variable, or delete the {node.name} block.",
            )


def _made(node: Directive) -> Iterator[Token]:
    """The variable that a block defines: its last argument."""
    if node.args and node.args[-1].startswith("$"):
        yield node.args[-1]


def _reads_elsewhere(model: Model) -> bool:
    return any(
        node.name.startswith(_CODE) or "_by_lua" in node.name or node.context == "unknown"
        for node in model.config.top.walk()
    )
