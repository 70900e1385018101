"""What a TLS handshake costs, and keys that live longer than they should."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nginxaudit.checks.tls.servers import tls_servers
from nginxaudit.hit import CheckContext, Hit, arg, name_of, whole
from nginxaudit.syntax.tree import Directive

_CERTIFICATE_CACHE = (1, 27, 4)
_DHE = r"(?:DHE|EDH|kDHE|kEDH)(?:-|\Z)"
_SHORT = r"(?<!\d)(?:512|768|1024)(?!\d)"


def dhe_without_dhparam(ctx: CheckContext) -> Iterable[Hit]:
    """Suites with DHE that are never used, or used with a short prime."""
    parameters = ctx.model.config.named("ssl_dhparam")
    for node in parameters:
        short = re.search(_SHORT, node.args[0].rsplit("/", 1)[-1]) if node.args else None
        if short is not None:
            yield Hit(
                whole(node),
                f"by its name this prime has {short[0]} bits: that is too short, and clients refuse it",
                node,
                help="Make one of 2048 bits or more, or leave DHE out of ssl_ciphers.",
            )
    if parameters or ctx.model.config.fragment or ctx.model.unread_files("http"):
        return
    for node in ctx.model.config.named("ssl_ciphers"):
        words = re.split(r"[:, ]+", node.args[0]) if node.args else []
        found = next((word for word in words if re.match(_DHE, word)), None)
        if found is not None and ctx.model.family_of(node) == "http":
            yield Hit(
                arg(node, node.args[0]),
                f"{found} is never used: without ssl_dhparam nginx has no parameters for DHE",
                node,
                help="Leave these suites out: all clients of today know ECDHE.",
            )
            return


def session_tickets_static(ctx: CheckContext) -> Iterable[Hit]:
    """Keys of session tickets that stay until somebody changes a file."""
    told: set[Directive | None] = set()
    for node in ctx.model.config.named("ssl_session_ticket_key"):
        keys = node.parent.named("ssl_session_ticket_key") if node.parent is not None else []
        if len(keys) == 1 and node.parent not in told:  # several are how keys are rotated
            told.add(node.parent)
            yield Hit(
                whole(node),
                "tickets are sealed with one key from a file: who gets it can read all sessions recorded since it was made",
                node,
                help="Rotate it with a second ssl_session_ticket_key, or let nginx make its keys: leave it out where one machine serves.",
            )


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
