"""What standards ask of TLS beyond the defaults of nginx."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.controls import on_server
from nginxaudit.checks.tls.servers import tls_servers
from nginxaudit.hit import CheckContext, Hit, unless, whole
from nginxaudit.model.server import Server
from nginxaudit.nginx.names import ENCRYPTING

_SECURE = ("https", "grpcs", "suwsgi")


def presenting(ctx: CheckContext) -> Iterable[Server]:
    """TLS servers that present a certificate."""
    model = ctx.model
    for server in tls_servers(ctx):
        block = server.directive
        if not model.unknown_inside(block) and model.flag(block, "ssl_reject_handshake", False) is False:
            yield server


def stapling_off(ctx: CheckContext) -> Iterable[Hit]:
    """Servers that send no OCSP response with the certificate."""
    for server in presenting(ctx):
        if ctx.model.flag(server.directive, "ssl_stapling", False) is False:
            yield on_server(
                ctx,
                server,
                "ssl_stapling is off: clients that check revocation ask the OCSP responder of the CA",
                "Write ssl_stapling on; and ssl_stapling_verify on; if the CA still offers OCSP.",
                "ssl_stapling",
            )


def session_tickets_enabled(ctx: CheckContext) -> Iterable[Hit]:
    """Servers that resume sessions with tickets, the default."""
    for server in presenting(ctx):
        if ctx.model.flag(server.directive, "ssl_session_tickets", True) is True:
            yield on_server(
                ctx,
                server,
                "ssl_session_tickets is on",
                "Write ssl_session_tickets off;",
                "ssl_session_tickets",
            )


def client_certificate_without_crl(ctx: CheckContext) -> Iterable[Hit]:
    """Client certificates that are accepted after they were revoked."""
    model = ctx.model
    for node in model.config.named("ssl_verify_client"):
        block = node.parent
        if block is None or node.args[:1] not in (["on"], ["optional"]) or model.effective(block, "ssl_crl"):
            continue
        if model.value(block, "ssl_ocsp") not in (None, "off"):
            continue
        hit = Hit(
            whole(node),
            "client certificates are accepted after revocation: neither ssl_crl nor ssl_ocsp is set",
            node,
            help="Write ssl_crl FILE; or ssl_ocsp on;",
        )
        yield unless(model.may_be_set(block, "ssl_crl"), "http sets one of them", hit)


def upstream_client_certificate_missing(ctx: CheckContext) -> Iterable[Hit]:
    """TLS to backends without a certificate by which they know nginx."""
    model = ctx.model
    for each in model.passes:
        if each.protocol not in ENCRYPTING or each.scheme not in _SECURE:
            continue
        name = f"{each.protocol}_ssl_certificate"
        if model.effective(each.scope, name) or model.is_filled_in(each.directive):
            continue
        hit = Hit(
            whole(each.directive),
            f"no {name}: the backend cannot verify that requests come from this nginx",
            each.directive,
            help=f"Set {name} and {name}_key, and let the backend require a certificate.",
            cause=ctx.cause(name),
        )
        yield unless(model.may_be_set(each.scope, name), "an outer block sets it", hit)
