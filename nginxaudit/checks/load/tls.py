"""What ``ssl`` sockets and certificates need of each other."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.checks.load.base import Load, Mistake, Use, finally_, invalid, reads
from nginxaudit.checks.load.scripts import script
from nginxaudit.model.server import Server
from nginxaudit.syntax.tree import Directive

_MISSING = "ssl-certificate-missing"


@reads("ssl_certificate", "ssl_certificate_key", family="http stream")
def certificate(use: Use) -> Iterator[Mistake]:
    """``ssl_certificate file``, with variables where the file name is to be chosen per connection."""
    yield from script(use, use.args[0])


@finally_
def certificates(load: Load) -> Iterator[Mistake]:
    """Servers that speak TLS and what they present."""
    for family in ("http", "stream", "mail"):
        for server in load.model.servers(family):
            if not load.model.unknown_inside(server.directive, direct=True) and not load.model.config.fragment:
                yield from _server(load, server)


def _server(load: Load, server: Server) -> Iterator[Mistake]:
    model, node = load.model, server.directive
    certificates = model.effective(node, "ssl_certificate")
    keys = model.effective(node, "ssl_certificate_key")
    speaks = next((each.directive for each in server.listens if (each.ssl or each.quic) and each.directive), None)
    rejects = model.flag(node, "ssl_reject_handshake", False)
    if len(keys) < len(certificates):
        yield Mistake(
            _MISSING,
            "there are fewer ssl_certificate_key than ssl_certificate",
            None,
            "Give every certificate its key.",
            certificates[len(keys)],
        )
    elif speaks is not None and not certificates and not rejects:
        yield from _without(load, server, speaks)
    verify = model.value(node, "ssl_verify_client")
    if verify is not None and verify.lower() in ("on", "optional") and _uses_tls(server, bool(certificates), speaks):
        trusted = ["ssl_client_certificate"] + (["ssl_trusted_certificate"] if load.target.version >= (1, 27, 1) else [])
        if not any(model.effective(node, name) for name in trusted):
            source = model.effective(node, "ssl_verify_client")[0]
            yield Mistake(
                _MISSING,
                "ssl_verify_client needs ssl_client_certificate: nginx refuses to start",
                None,
                "Name the file with the certificates of the authority.",
                source,
            )


def _uses_tls(server: Server, has_certificates: bool, speaks: Directive | None) -> bool:
    return has_certificates or (speaks is not None and server.family != "http")


def _without(load: Load, server: Server, speaks: Directive) -> Iterator[Mistake]:
    """A TLS socket without certificate: fatal for the default server, or with an expression as name."""
    if server.family == "http" and not _is_default(load, server):
        return
    yield Mistake(
        _MISSING,
        "this socket speaks TLS, but the server has no ssl_certificate: nginx refuses to start",
        None,
        "Add ssl_certificate and ssl_certificate_key, or ssl_reject_handshake on.",
        speaks,
    )


def _is_default(load: Load, server: Server) -> bool:
    """Whether a TLS socket takes this server for names it does not know."""
    return any(socket.ssl and socket.default is server for socket in load.model.sockets("http").values())


@reads("ssl_alpn", family="stream")
def ssl_alpn(use: Use) -> Iterator[Mistake]:
    """``ssl_alpn protocol …``."""
    for token in use.args:
        if len(token.encode("utf-8", "surrogateescape")) > 255:
            yield invalid(token, "the name of a protocol is longer than 255 bytes")
