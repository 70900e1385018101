"""Definitions that nothing uses."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model import Model
from nginxaudit.model.scope import enclosing
from nginxaudit.model.uses import variable_uses
from nginxaudit.nginx.names import BALANCED, MAPPING
from nginxaudit.nginx.variables import variable_of
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


_MODULE_VARIABLES = ("naxsi_", "memc_", "redis", "srcache_", "echo_", "modsecurity_")
"""Starts of variables that modules read by themselves."""


def unused_set(ctx: CheckContext) -> Iterable[Hit]:
    """``set`` of a variable that nothing reads; once for each variable of a server."""
    model = ctx.model
    if not model.config.named("set") or not model.config.is_whole or model.templates:
        return
    if _reads_elsewhere(model):
        return
    uses, open_servers = model.once(variable_uses), _taking_more(model)
    reported: set[tuple[Directive | None, str]] = set()
    for node in model.config.named("set"):
        family, server = model.family_of(node), enclosing(node, "server")
        name = node.args[0][1:].lower() if node.args else ""
        if not name or (server, name) in reported or _has_effect(ctx, name, family):
            continue
        if server in open_servers or family not in BALANCED:
            continue
        found = uses.get((family, name), ())
        if all(user.name == "set" and token is user.args[0] for user, token in found):
            reported.add((server, name))
            yield Hit(
                whole(node),
                f"nothing uses {node.args[0]}",
                node,
                help="Use the variable, or delete the line.",
            )


def _has_effect(ctx: CheckContext, name: str, family: str) -> bool:
    """Whether nginx or a module reads the variable by itself."""
    return name.startswith(_MODULE_VARIABLES) or variable_of(name, family, ctx.target) is not None


def _taking_more(model: Model) -> set[Directive | None]:
    """Servers into which a pattern includes files: those that come later may use what nothing uses yet."""
    return {
        enclosing(node, "server")
        for node in model.config.named("include")
        if any("*" in token for token in node.args)
    } - {None}


def _defined(node: Directive) -> Token | None:
    """The variable that a block defines: its last argument."""
    last = node.args[-1] if node.name in MAPPING and node.args else None
    return last if last is not None and last.startswith("$") else None


def _reads_elsewhere(model: Model) -> bool:
    return any(
        node.name.startswith(_CODE) or "_by_lua" in node.name or node.context == "unknown"
        for node in model.config.top.walk()
    )
