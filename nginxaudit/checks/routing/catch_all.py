"""What clients get who ask for a host that no server has."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.controls import serves
from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.model import Model
from nginxaudit.model.access import is_local
from nginxaudit.model.expressions import condition
from nginxaudit.model.names import ServerName
from nginxaudit.model.server import Server
from nginxaudit.syntax.tree import Directive

_HOSTS = ("$host", "$http_host", "$server_name", "$ssl_server_name")


def default_server_serves_content(ctx: CheckContext) -> Iterable[Hit]:
    """Default servers with a name that answer requests for every other name with their content."""
    model = ctx.model
    reported: set[Server] = set()
    for socket in model.sockets("http").values():
        marked = socket.explicit_default
        if marked is None and model.is_part("http"):
            continue
        server = socket.default
        name = next(filter(_is_site, server.names), None)
        if name is None or name.directive is None or name.token is None or server in reported:
            continue
        if is_local(server) or not serves(server) or _rejects(model, server):
            continue
        reported.add(server)
        from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

        yield Hit(
            arg(name.directive, name.token),
            f"{name.name} also answers requests for unknown host names and IP addresses on {socket.key}",
            name.directive,
            help="Add a server with listen … default_server; and return 444; (ssl_reject_handshake on; for TLS).",
            witness=detours.for_unknown(ctx, server.directive),
        )


def _is_site(name: ServerName) -> bool:
    return name.kind in ("exact", "leading", "trailing", "dot") and "." in name.name


def _rejects(model: Model, server: Server) -> bool:
    """Whether the server looks at the name by itself, or cannot be judged."""
    block = server.directive
    if model.unknown_inside(block) or model.flag(block, "ssl_reject_handshake", False) is not False:
        return True
    return any(map(_asks_for_host, block.named("if")))


def _asks_for_host(node: Directive) -> bool:
    asked = condition(node)
    return asked is not None and asked.left.lower() in _HOSTS
