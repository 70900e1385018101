"""TLS handshakes and connections that cost more than they need to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.controls import on_server
from nginxaudit.checks.security.features import opened_by
from nginxaudit.checks.tls.controls import presenting
from nginxaudit.checks.tls.servers import tls_servers
from nginxaudit.hit import CheckContext, Edits, Hit, arg, name_of, whole
from nginxaudit.model import Model
from nginxaudit.syntax.tree import Directive

_CERTIFICATE_CACHE = (1, 27, 4)
_SESSIONS = "shared:SSL:10m"


def session_cache_missing(ctx: CheckContext) -> Iterable[Hit]:
    """TLS where clients cannot resume their sessions; once."""
    for node in ctx.model.config.named("ssl_session_cache"):
        if list(node.args) and all(token.startswith("builtin") for token in node.args):
            yield Hit(
                whole(node),
                "ssl_session_cache builtin is not shared between workers",
                node,
                help="Write ssl_session_cache shared:SSL:10m;",
                why="A client that reaches another worker needs a full handshake, and the builtin cache can fragment memory.",
                make_fix=None if _opens(ctx, node) else partial(_shared, node, ctx.model),
            )
    if not ctx.model.config.named("ssl_session_tickets"):
        return
    for server in tls_servers(ctx):
        node = server.directive
        caches = ctx.model.effective(node, "ssl_session_cache")
        if any(not token.startswith(("off", "none")) for each in caches for token in each.args):
            continue
        if ctx.model.unknown_inside(node) or ctx.model.unread_files("http"):
            continue
        # With tickets, which are on by default, nearly all clients of today resume without a cache.
        if ctx.model.flag(node, "ssl_session_tickets", True) is False:
            yield Hit(
                whole(caches[0]) if caches else name_of(node),
                "no TLS session resumption: tickets are off and no session cache is shared",
                caches[0] if caches else node,
                related=tuple(
                    ("tickets are off here", whole(each))
                    for each in ctx.model.effective(node, "ssl_session_tickets")
                ),
                help="Set ssl_session_cache shared:SSL:10m; at the http level.",
                make_fix=partial(_shared, caches[0] if caches else node, ctx.model),
            )
            return


def _opens(ctx: CheckContext, node: Directive) -> bool:
    """Whether the version has a flaw of a shared cache beside tickets."""
    tickets = ctx.model.flag(node, "ssl_session_tickets", True)
    return tickets is not False and opened_by(ctx, "http/ssl_session_cache shared")


def _shared(node: Directive, model: Model) -> Edits:
    """A shared cache in http, or in the place of one that is not shared; ``off`` is a decision."""
    family = model.family_of(node)
    shared = (
        str(token)
        for each in model.config.named("ssl_session_cache")
        for token in each.args
        if token.startswith("shared:") and model.family_of(each) == family
    )
    line = f"ssl_session_cache {next(shared, _SESSIONS)}"
    if node.name == "ssl_session_cache":
        return (edits.rewritten(node, line),) if node.args[:1] != ["off"] else None
    block = model.enclosing(node, "http")
    return (edits.first_in(block, f"{line};"),) if block is not None else None


def ssl_certificate_variable(ctx: CheckContext) -> Iterable[Hit]:
    """Certificates that are read from their files at every handshake."""
    if not ctx.target.since(_CERTIFICATE_CACHE):
        return
    for node in ctx.model.config.named("ssl_certificate"):
        if (
            not node.args
            or node.parent is None
            or "$" not in node.args[0]
            or node.args[0].startswith("data:")
        ):
            continue
        cache = ctx.model.value(node.parent, "ssl_certificate_cache")
        if cache is None or cache == "off":
            yield Hit(
                arg(node, node.args[0]),
                "certificate and key are loaded from disk for every handshake",
                node,
                help="Write ssl_certificate_cache max=1000 inactive=20s valid=1m;",
            )


def http2_disabled(ctx: CheckContext) -> Iterable[Hit]:
    """TLS sockets on which clients get HTTP/1.1 only."""
    model = ctx.model
    known = set(presenting(ctx))
    for socket in model.sockets("http").values():
        servers = [server for server, _ in socket.members]
        if not socket.ssl or socket.key.transport != "tcp" or not known.issuperset(servers):
            continue
        if any(listen.http2 for _, listen in socket.members):
            continue
        if all(model.flag(server.directive, "http2", False) is False for server in servers):
            for server in dict.fromkeys(servers):
                yield on_server(
                    ctx,
                    server,
                    "HTTP/2 is off: clients open several connections, and requests wait for each other",
                    "Write http2 on; (before nginx 1.25.1: the http2 parameter of listen).",
                    "http2",
                )
