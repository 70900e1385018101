"""TLS: what is offered to clients and to servers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.finding import Applicability, Fix, Severity
from nginxaudit.hit import CheckContext, Hit, arg, listed
from nginxaudit.model import Model
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
                f"{listed([str(token) for token in old])} {'is' if len(old) == 1 else 'are'} outdated and can be attacked"
                + ("; no socket here speaks TLS yet" if idle else ""),
                node,
                severity=severity,
                help=f"Write {name} TLSv1.2 TLSv1.3;",
                make_fix=partial(_without, old, node, ctx.model, idle=idle),
            )


def _without(old: list[Token], node: Directive, model: Model, *, idle: bool) -> Fix:
    """The old ones taken out; the good ones instead when nothing is left.

    Safe where clients keep a protocol they know: all that RFC 8996 leaves speak TLSv1.2. A backend may be older
    than that, and where nothing is left another protocol is put in: both need a look.
    """
    if len(old) < len(node.args):
        made = [edits.without(node, token) for token in old]
    else:
        good = "TLSv1.2 TLSv1.3" if model.target.since(_TLS13_SINCE) else "TLSv1.2"
        made = [edits.exchanged(node, old[0], good), *(edits.without(node, token) for token in old[1:])]
    kept = len(old) < len(node.args) and node.name == "ssl_protocols"
    unused = idle and not _may_speak_tls(model)
    applicability = Applicability.SAFE if kept or unused else Applicability.UNSAFE
    return Fix(f"Leave out {' and '.join(old)}", applicability, tuple(made))


def _may_speak_tls(model: Model) -> bool:
    """Whether a server may have sockets that are not seen here, or the old ``ssl on``."""
    if model.config.incomplete_includes or model.config.named("ssl"):
        return True
    return any(server.listen_unknown for family in FAMILIES for server in model.servers(family))
