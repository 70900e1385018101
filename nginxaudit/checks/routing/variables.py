"""Variables that the configuration defines: ``map``, ``geo``, ``set``."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model.scope import family_of, is_directive
from nginxaudit.model.uses import variable_uses
from nginxaudit.nginx import variable
from nginxaudit.nginx.names import EXCHANGES, MAPPING
from nginxaudit.syntax.tree import Directive

_NO_ENTRIES = frozenset(
    {"default", "include", "hostnames", "volatile", "ranges", "delete", "proxy", "proxy_recursive"}
)
_EMPTY_IS_FINE = frozenset(
    {
        "limit_req_zone", "limit_conn_zone", "access_log", "if", "log_format", "proxy_cache_bypass", "proxy_no_cache",
        "fastcgi_cache_bypass", "fastcgi_no_cache", "uwsgi_no_cache", "uwsgi_cache_bypass", "add_header", "proxy_set_header",
        "grpc_set_header", "map", "geo", "set", "expires", "add_trailer", "fastcgi_param", "uwsgi_param", "limit_rate",
        "proxy_cache_key", "secure_link", "scgi_no_cache", "scgi_cache_bypass", "return",
    }
)  # fmt: skip
"""Where an empty value has a meaning that people use: no limit, no header, false."""

_DECIDING = frozenset(
    {
        *EXCHANGES, "root", "alias", "auth_basic",
        "auth_basic_user_file", "ssl_certificate", "ssl_certificate_key", "proxy_bind", "hash",
    }
)  # fmt: skip
"""Where an empty value breaks something, or opens it."""

_NEEDS_VALUE = _DECIDING | {
    "return",
    "rewrite",
    "try_files",
    "proxy_set_header",
    "add_header",
    "fastcgi_param",
}


def map_without_default(ctx: CheckContext) -> Iterable[Hit]:
    """A map whose variable is empty for what it does not list, where emptiness does harm."""
    for name in ("map", "geo"):
        for block in ctx.model.config.named(name):
            if not block.is_block or not block.args or not is_directive(block) or block.first("default"):
                continue
            entries = [line for line in block.children if line.name not in _NO_ENTRIES]
            if len(entries) < 2 or ctx.model.unknown_inside(block) or _takes_all(entries):
                continue
            uses = ctx.once(variable_uses)
            variable = block.args[-1]
            places = [
                node
                for node, _ in uses.get((family_of(block), variable[1:].lower()), ())
                if node is not block and node.name not in _EMPTY_IS_FINE
            ]
            if not places:
                continue
            worst = next((node for node in places if node.name in _DECIDING), None)
            yield Hit(
                whole(block),
                f"{variable} is empty for unlisted values: default is missing",
                block,
                related=((f"used by {(worst or places[0]).name}", whole(worst or places[0])),),
                severity=Severity.WARNING if worst is not None else None,
                help='Add default with the intended value, or default ""; if empty is intended.',
            )


def _takes_all(entries: list[Directive]) -> bool:
    """The last key is an expression that matches everything."""
    return any(line.name in ("~.", "~.*", "~*.", "~", "~^", "~^.*$", "0.0.0.0/0", "~*.*") for line in entries)


def duplicate_map_variable(ctx: CheckContext) -> Iterable[Hit]:
    """A variable that two blocks define: the later one wins."""
    first: dict[tuple[str, str], Directive] = {}
    parents = dict.fromkeys(
        block.parent for name in MAPPING for block in ctx.model.config.named(name) if block.parent is not None
    )
    for block in (child for parent in parents for child in parent.children if child.name in MAPPING):
        if not block.is_block or not block.args or not is_directive(block):
            continue
        variable = block.args[-1]
        earlier = first.setdefault((family_of(block), variable.lower()), block)
        if earlier is not block and earlier.statement is not block.statement:
            yield Hit(
                whole(block),
                f"{variable} is already defined: this {block.name} replaces the earlier definition",
                block,
                related=(("has no effect", whole(earlier)),),
                help="Rename or delete one of the two.",
            )


def maybe_uninitialized_variable(ctx: CheckContext) -> Iterable[Hit]:
    """A variable that only an ``if`` sets, used where an empty one does harm."""
    sets = _conditional_sets(ctx)
    if not sets:
        return
    uses = ctx.once(variable_uses)
    for (name, server), nodes in sets.items():
        for node, token in uses.get(("http", name), ()):
            if node.name not in _NEEDS_VALUE or ctx.model.enclosing(node, "server") is not server:
                continue
            if any(block in node.ancestors() for each in nodes if (block := each.parent) is not None):
                continue
            if ctx.model.flag(node, "uninitialized_variable_warn", True) is False:
                continue
            yield Hit(
                arg(node, token),
                f'${name} is set only in an "if": otherwise it is empty and nginx logs a warning for each request',
                node,
                related=(("set here", whole(nodes[0])),),
                help=f"Add set ${name} with the default value before the if.",
            )
            break


def _conditional_sets(ctx: CheckContext) -> dict[tuple[str, Directive], list[Directive]]:
    """Variables by name and server that nothing but ``if`` blocks of this server set."""
    found: dict[tuple[str, Directive], list[Directive]] = {}
    sure: set[tuple[str, Directive]] = set()
    defined = ctx.model.variable_definitions("http")
    for node in ctx.model.config.named("set"):
        server = ctx.model.enclosing(node, "server")
        if server is None or not node.args or node.parent is None or ctx.model.unknown_inside(server):
            continue
        name = node.args[0][1:].lower()
        if variable(name, "http") is not None:
            continue  # of the request: where set does not run it is what the client sent
        key = (name, server)
        if node.parent.name == "if":
            found.setdefault(key, []).append(node)
        else:
            sure.add(key)
    return {
        key: nodes
        for key, nodes in found.items()
        if key not in sure and all(each.name == "set" for each in defined.get(key[0], ()))
    }


def variable_shadowing(ctx: CheckContext) -> Iterable[Hit]:
    """``set`` in a location of what the server, or a map, defines; asked for only."""
    blocks = {
        block.args[-1].lower(): block
        for name in MAPPING
        for block in ctx.model.config.named(name)
        if block.is_block and block.args
    }
    in_servers: dict[Directive, dict[str, Directive]] = {}
    for node in ctx.model.config.named("set"):
        if not node.args or ctx.model.family_of(node) != "http":
            continue
        name = node.args[0].lower()
        server = ctx.model.enclosing(node, "server")
        outer: Directive | None = None
        if server is not None and node.parent is not None and node.parent.inner != "server":
            if server not in in_servers:
                in_servers[server] = {
                    each.args[0].lower(): each for each in reversed(server.named("set")) if each.args
                }
            outer = in_servers[server].get(name)
        other = blocks.get(name) or outer
        if other is not None:
            yield Hit(
                whole(node),
                f"{node.args[0]} is also defined elsewhere in another way",
                node,
                related=(("also defined here", whole(other)),),
                help="Use another name.",
            )
