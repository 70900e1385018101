"""TLS handshakes that cost more than they need to."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.tls.servers import tls_servers
from nginxaudit.hit import CheckContext, Hit, arg, name_of, whole

_CERTIFICATE_CACHE = (1, 27, 4)


def session_cache_missing(ctx: CheckContext) -> Iterable[Hit]:
    """TLS where clients cannot resume their sessions; once."""
    for node in ctx.model.config.named("ssl_session_cache"):
        if list(node.args) and all(token.startswith("builtin") for token in node.args):
            yield Hit(
                whole(node),
                "every worker has a cache of its own: a client that meets another worker does a full handshake",
                node,
                help="Write ssl_session_cache shared:SSL:10m;",
            )
    if ctx.model.config.fragment or not ctx.model.config.named("ssl_session_tickets"):
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
                "no session can be resumed, tickets are off and no cache is shared: every connection costs a full handshake",
                caches[0] if caches else node,
                related=tuple(
                    ("tickets are off here", whole(each))
                    for each in ctx.model.effective(node, "ssl_session_tickets")
                ),
                help="Write ssl_session_cache shared:SSL:10m; in http.",
            )
            return


def ssl_certificate_variable(ctx: CheckContext) -> Iterable[Hit]:
    """Certificates that are read from their files at every handshake."""
    if ctx.target.version < _CERTIFICATE_CACHE:
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
                "certificate and key are read from their files and parsed at every handshake",
                node,
                help="Write ssl_certificate_cache max=1000 inactive=20s valid=1m;",
            )
