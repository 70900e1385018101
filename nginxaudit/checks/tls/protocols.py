"""TLS: what is offered to clients and to servers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.security.features import opened_by
from nginxaudit.finding import Applicability, Fix, Severity
from nginxaudit.hit import CheckContext, Hit, arg, listed
from nginxaudit.nginx.names import FAMILIES
from nginxaudit.syntax.tree import Directive, Token

_TLS13_SINCE = (1, 13, 0)
_OLD = ("sslv2", "sslv3", "tlsv1", "tlsv1.1")
_TO_SERVERS = ("proxy_ssl_protocols", "grpc_ssl_protocols", "uwsgi_ssl_protocols")


def deprecated_tls_protocol(ctx: CheckContext) -> Iterable[Hit]:
    """Protocols that known attacks break; once per line."""
    spoken = any(
        listen.ssl or listen.quic
        for family in FAMILIES
        for server in ctx.model.servers(family)
        for listen in server.listens
    )
    for name in ("ssl_protocols", *_TO_SERVERS):
        for node in ctx.model.config.named(name):
            old = [token for token in node.args if token.lower() in _OLD]
            if not old:
                continue
            idle = name not in _TO_SERVERS and not spoken and not ctx.model.is_part(ctx.model.family_of(node))
            severity = Severity.WARNING if name in _TO_SERVERS else Severity.INFO if idle else None
            yield Hit(
                arg(node, old[0]),
                f"{listed([str(token) for token in old])} {'is' if len(old) == 1 else 'are'} deprecated and insecure"
                + ("; no server here uses TLS yet" if idle else ""),
                node,
                severity=severity,
                help=f"Write {name} TLSv1.2 TLSv1.3;",
                make_fix=partial(_without, old, node, ctx),
                cause=ctx.cause(*map(str, node.args), str(severity)),  # one line, written in many servers
            )


def _without(old: list[Token], node: Directive, ctx: CheckContext) -> Fix:
    """The old ones taken out; the good ones instead when nothing is left.

    Never safe: clients and servers that speak nothing newer are cut off.
    """
    if len(old) < len(node.args):
        made = [edits.without(node, token) for token in old]
    else:
        flawed = node.name not in _TO_SERVERS and opened_by(ctx, "http/ssl_protocols TLSv1.3")
        newest = ctx.target.since(_TLS13_SINCE) and not flawed
        good = "TLSv1.2 TLSv1.3" if newest else "TLSv1.2"
        made = [edits.exchanged(node, old[0], good), *(edits.without(node, token) for token in old[1:])]
    return Fix(f"Remove {' and '.join(old)}", Applicability.UNSAFE, tuple(made))
