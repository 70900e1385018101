"""What ``ssl`` sockets and certificates need of each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.load.base import LoadState, Mistake, Use, finally_, invalid, reads
from nginxaudit.load.scripts import script
from nginxaudit.model.passes import Pass
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Socket
from nginxaudit.nginx.names import ENCRYPTING, FAMILIES
from nginxaudit.syntax.tree import Directive

_MISSING = "ssl-certificate-missing"


@reads("ssl_certificate", "ssl_certificate_key", family="http stream")
def certificate(use: Use) -> Iterable[Mistake]:
    """``ssl_certificate file``, with variables where the file name is to be chosen per connection."""
    return script(use, use.args[0])


@finally_
def certificates(load: LoadState) -> Iterator[Mistake]:
    """Servers that speak TLS and what they present."""
    for family in FAMILIES:
        if load.model.is_part(family):
            continue
        for server in load.model.servers(family):
            if not load.model.unknown_inside(server.directive, direct=True):
                yield from _server(load, server)
    for socket in load.model.sockets("http").values():
        if socket.ssl and not load.model.is_part("http"):
            yield from _http_socket(load, socket)


def _server(load: LoadState, server: Server) -> Iterator[Mistake]:
    model, node = load.model, server.directive
    owned = model.effective(node, "ssl_certificate")
    keys = model.effective(node, "ssl_certificate_key")
    speaks = server.family != "http" and _speaks(server) is not None
    if len(keys) < len(owned) and (server.family == "http" or speaks):
        yield Mistake(
            _MISSING,
            'no "ssl_certificate_key" is defined for this certificate',
            None,
            "Add an ssl_certificate_key for every certificate.",
            owned[len(keys)],
        )
    elif speaks and not owned and not model.flag(node, "ssl_reject_handshake", False):
        yield _without(server)
    if owned or speaks or model.flag(node, "ssl_reject_handshake", False):
        yield from _verification(load, node)


def _verification(load: LoadState, node: Directive) -> Iterator[Mistake]:
    verify = load.model.effective(node, "ssl_verify_client")
    if not verify or not verify[0].args or verify[0].args[0].lower() not in ("on", "optional"):
        return
    trusted = ["ssl_client_certificate"] + (
        ["ssl_trusted_certificate"] if load.target.since((1, 27, 1)) else []
    )
    if not any(load.model.effective(node, name) for name in trusted):
        yield Mistake(
            _MISSING,
            "no ssl_client_certificate for ssl_verify_client",
            None,
            "Set it to the file with the CA certificates.",
            verify[0],
        )


def _http_socket(load: LoadState, socket: Socket) -> Iterator[Mistake]:
    """The default server must have a certificate; if it rejects every handshake, all others must."""
    if _presents(load, socket.default):
        return
    if not _rejects(load, socket.default):
        yield _without(socket.default)
        return
    for server in socket.servers:
        if not _presents(load, server) and not _rejects(load, server):
            yield _without(server)
            return


def _presents(load: LoadState, server: Server) -> bool:
    node = server.directive
    return bool(load.model.effective(node, "ssl_certificate")) or load.model.unknown_inside(node, direct=True)


def _rejects(load: LoadState, server: Server) -> bool:
    return bool(load.model.flag(server.directive, "ssl_reject_handshake", False))


def _speaks(server: Server) -> Directive | None:
    """The line that makes a socket of this server speak TLS, now or when the client asks for it."""
    starttls = server.directive.first("starttls") if server.family == "mail" else None
    if starttls is not None and starttls.args[:1] and starttls.args[0].lower() in ("on", "only"):
        return starttls
    return next(
        (each.directive for each in server.listens if (each.ssl or each.quic) and each.directive), None
    )


def _without(server: Server) -> Mistake:
    return Mistake(
        _MISSING,
        'no "ssl_certificate" is defined for this server with TLS',
        None,
        "Add ssl_certificate and ssl_certificate_key, or ssl_reject_handshake on.",
        _speaks(server) or server.directive,
    )


@finally_
def upstream_verification(load: LoadState) -> Iterator[Mistake]:
    """``…_ssl_verify on`` needs the certificates of an authority where TLS is spoken to servers."""
    for each in load.model.passes:
        prefix = {"stream": "proxy"}.get(each.protocol, each.protocol)
        if prefix not in ENCRYPTING or not _to_tls(load, each):
            continue
        verify = load.model.effective(each.scope, f"{prefix}_ssl_verify")
        switched_on = verify and verify[0].args and verify[0].args[0].lower() == "on"
        trusted = f"{prefix}_ssl_trusted_certificate"
        if load.model.effective(each.scope, trusted) or load.model.may_be_set(each.scope, trusted):
            continue
        if switched_on:
            yield Mistake(
                _MISSING,
                f"no {trusted} for {prefix}_ssl_verify",
                None,
                "Set it to the file with the CA certificates.",
                verify[0],
            )


def _to_tls(load: LoadState, each: Pass) -> bool:
    if each.family == "stream":
        return bool(load.model.flag(each.scope, "proxy_ssl", False))
    return bool(each.directive.args) and ("$" in each.directive.args[0] or each.target.tls)


@reads("ssl_alpn", family="stream")
def ssl_alpn(use: Use) -> Iterator[Mistake]:
    """``ssl_alpn protocol …``."""
    for token in use.args:
        if len(token.encode("utf-8", "surrogateescape")) > 255:
            yield invalid(token, "the protocol name is longer than 255 bytes")
