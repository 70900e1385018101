"""What standards ask of servers beyond the defaults of nginx: limits, methods, timeouts, ports, error pages, modules."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.controls import SERVING, on_server, public_servers
from nginxaudit.hit import CheckContext, Hit, listed, whole
from nginxaudit.model import Model
from nginxaudit.model.access import is_local, is_loopback
from nginxaudit.model.expressions import condition
from nginxaudit.model.server import Server
from nginxaudit.model.uses import turns_away
from nginxaudit.nginx import parse_time_ms
from nginxaudit.nginx.names import BALANCED
from nginxaudit.syntax.tree import Directive

_TIMEOUTS = {
    "client_header_timeout": 60_000,
    "client_body_timeout": 60_000,
    "send_timeout": 60_000,
    "keepalive_timeout": 75_000,
}
"""Milliseconds by default."""
_LIMITS = ("limit_req", "limit_conn")


def missing_rate_limit(ctx: CheckContext) -> Iterable[Hit]:
    """Servers whose backends clients may ask as often as they like."""
    model = ctx.model
    for server, blocks in _passing(model):
        lacking = [name for name in _LIMITS if not any(model.effective(block, name) for block in blocks)]
        if lacking:
            yield on_server(
                ctx,
                server,
                f"no {' and no '.join(lacking)}: one client can send requests without limit",
                "Define a zone by $binary_remote_addr in http, and use it in the server.",
                *lacking,
            )


def approved_methods(ctx: CheckContext) -> Iterable[Hit]:
    """Servers whose backends get requests with any method."""
    model = ctx.model
    asked = any("$request_method" in str(node.args[:1]) for node in model.config.named("map"))
    for server, _ in _passing(model) if not asked else ():
        if not any(_restricts_methods(node) for node in server.directive.walk()):
            yield on_server(
                ctx,
                server,
                "backends receive requests with any method: no limit_except and no check of $request_method",
                "Write limit_except GET POST { deny all; } in the locations.",
            )


def _restricts_methods(node: Directive) -> bool:
    """Whether a block lets only some methods through."""
    if node.name == "limit_except":
        return True
    if node.name != "if" or not node.is_block or not turns_away(node):
        return False
    asked = condition(node)
    return asked is not None and asked.left.lower() in ("$request_method", "${request_method}")


def _passing(model: Model) -> Iterable[tuple[Server, list[Directive]]]:
    """Public servers with the blocks from which they pass requests on."""
    for server in public_servers(model):
        blocks = [each.scope for each in model.passes if each.server is server]
        if blocks:
            yield server, blocks


def slow_client_timeouts(ctx: CheckContext) -> Iterable[Hit]:
    """Servers that wait for clients longer than standards recommend, by default or explicitly."""
    longest = str(ctx.options["longest"])
    for server in public_servers(ctx.model):
        waits = {
            name: ctx.model.time_ms(server.directive, name, default) for name, default in _TIMEOUTS.items()
        }
        names = [name for name, wait in waits.items() if wait is not None and wait > parse_time_ms(longest)]
        if names:
            yield on_server(
                ctx,
                server,
                f"client timeouts above {longest}: {listed(names)}",
                f"Set them to {longest} or less in http.",
                *names,
            )


def default_error_pages(ctx: CheckContext) -> Iterable[Hit]:
    """Servers whose error pages are those of nginx."""
    model = ctx.model
    for server in public_servers(model):
        blocks = [server.directive, *(each.directive for each in server.all_locations())]
        if not any(model.effective(block, "error_page") for block in blocks):
            yield on_server(
                ctx,
                server,
                "no error_page: errors show the default page of nginx, which names the software",
                "Write error_page 404 /404.html; and similar lines for other codes.",
                "error_page",
            )


def unexpected_port(ctx: CheckContext) -> Iterable[Hit]:
    """Sockets for other machines on ports that were not agreed."""
    allowed = frozenset(map(str, ctx.options["ports"]))
    for family in BALANCED:
        for server in ctx.model.servers(family):
            for listen in server.listens:
                if listen.directive is None or listen.port is None or is_loopback(listen):
                    continue
                if str(listen.port) not in allowed and not ctx.model.is_filled_in(listen.directive):
                    yield Hit(
                        whole(listen.directive),
                        f"port {listen.port} is not among the allowed ports: {', '.join(sorted(allowed, key=int))}",
                        listen.directive,
                        help="Close the port, or add it to the option ports of this rule.",
                    )
                    break


def gzip_breach(ctx: CheckContext) -> Iterable[Hit]:
    """Compressed responses of applications over TLS."""
    model = ctx.model
    for server, blocks in _passing(model):
        if not any(listen.ssl or listen.quic for listen in server.listens):
            continue
        node = next(
            (each for block in blocks for each in model.effective(block, "gzip") if each.args[:1] == ["on"]),
            None,
        )
        if node is not None:
            yield Hit(
                whole(node),
                "gzip compresses responses of an application over TLS: their length can reveal secrets (BREACH)",
                node,
                help="Turn gzip off for pages with tokens and user input.",
                cause=ctx.cause(str(node.start), node.source.path),
            )


def keyval_without_timeout(ctx: CheckContext) -> Iterable[Hit]:
    """Stores of keys and values, such as tokens, from which nothing is removed."""
    for node in ctx.model.config.named("keyval_zone"):
        if node.args and not any(token.startswith("timeout=") for token in node.args):
            yield Hit(
                whole(node),
                "entries of this keyval_zone never expire: tokens in it stay valid, and the zone fills up",
                node,
                help="Add timeout=1h, for example.",
            )


def api_not_separate(ctx: CheckContext) -> Iterable[Hit]:
    """The API of NGINX Plus on a socket on which sites are served."""
    model = ctx.model
    for node in model.config.named("api"):
        server = model.server_of(node)
        if server is None or is_local(server) or server.listen_unknown:
            continue
        sockets = [model.sockets("http")[listen.key] for listen in server.listens]
        members = [member for socket in sockets for member in socket.servers]
        blocks = {member.directive for member in members}
        blocks |= {location.directive for member in members for location in member.all_locations()}
        served = [found for block in blocks for name in SERVING for found in block.named(name)]
        other = min(served, key=lambda found: (found.source.path, found.start), default=None)
        if other is not None:
            yield Hit(
                whole(node),
                "the API is on an address and port that clients of the sites use",
                node,
                related=(("served on the same socket", whole(other)),),
                help="Move it to a server with its own listen, on an address of the management network.",
            )
