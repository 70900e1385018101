"""Passes to sockets of this configuration: what is sent, and what the ``listen`` at the other end expects.

The options of a socket are those of all its ``listen`` lines together (``ngx_http_add_addresses`` in
src/http/ngx_http.c): one with ``ssl`` or ``proxy_protocol`` decides for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Hit, Place, whole
from nginxaudit.model import Model
from nginxaudit.model.listen import Listen, SocketKey
from nginxaudit.model.passes import Pass
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Socket
from nginxaudit.model.target import PassTarget
from nginxaudit.model.variables import references
from nginxaudit.nginx import Address
from nginxaudit.nginx.names import FAMILIES
from nginxaudit.nginx.since import HTTP2_DIRECTIVE
from nginxaudit.syntax.tree import Directive

Sockets = Mapping[SocketKey, tuple[str, Socket]]
_LOOPBACK = ("127.0.0.1", "::1")


def pass_listen_mismatch(ctx: CheckContext) -> Iterable[Hit]:
    """What a pass sends is not what the socket at its other end reads; once per pass."""
    sockets = ctx.once(_sockets)
    for each in ctx.model.passes if sockets else ():
        for address, chosen in _addresses(each):
            found = _socket_of(address, sockets)
            if found is None:
                continue
            family, socket = found
            if any(server.listen_unknown for server in socket.servers):
                continue
            hit = _compared(ctx, each, family, socket, chosen)
            if hit is not None:
                yield hit
                break


def ends_here(model: Model, each: Pass) -> bool:
    """Whether a pass leads to a socket of this configuration, so that its protocol is known."""
    sockets = model.once(_sockets)
    return any(_socket_of(address, sockets) is not None for address, _ in _addresses(each))


def _sockets(model: Model) -> Sockets:
    """TCP and UNIX sockets of all families."""
    return {
        key: (family, socket)
        for family in FAMILIES
        for key, socket in model.sockets(family).items()
        if key.transport == "tcp"
    }


def _addresses(each: Pass) -> Iterator[tuple[Address, str]]:
    """Where a pass leads, with the value of the variable that chooses it (empty if none does)."""
    choices: list[tuple[PassTarget, str]] = [(each.target, "")]
    if each.target.kind == "variable":
        choices = [(candidate.target, candidate.text) for candidate in each.candidates]
    for target, text in choices:
        if target.upstream is not None:
            yield from (
                (peer.address, text)
                for peer in target.upstream.peers
                if peer.address is not None and peer.is_live
            )
        elif target.address is not None:
            yield target.address, text


def _socket_of(address: Address, sockets: Sockets) -> tuple[str, Socket] | None:
    """The socket that connections to ``address`` arrive at: the exact one, or on this machine that of all addresses."""
    if address.kind == "unix":
        return sockets.get(SocketKey("tcp", "unix", address.host, None))
    host = "127.0.0.1" if address.host.lower() == "localhost" else address.host
    kind = "inet" if host == "127.0.0.1" else address.kind
    exact = sockets.get(SocketKey("tcp", kind, host, address.port))
    if exact is not None or not (host.startswith("127.") or host in _LOOPBACK):
        return exact
    return sockets.get(SocketKey("tcp", kind, "*" if kind == "inet" else "::", address.port))


class _Sent(Struct, frozen=True):
    """What a pass sends first: ``tls`` None where that depends on the client."""

    proxy_protocol: bool | None
    tls: bool | None
    http2: bool = False
    because: Directive | None = None


def _compared(ctx: CheckContext, each: Pass, family: str, socket: Socket, chosen: str) -> Hit | None:
    sent = _stream_sent(ctx.model, each, chosen) if each.family == "stream" else _http_sent(ctx.model, each)
    if sent is None:
        return None
    expects = next((listen for _, listen in socket.members if listen.proxy_protocol), None)
    if sent.proxy_protocol and expects is None:
        return _hit(each, sent, socket, "the PROXY protocol is sent to {socket}, which does not expect it")
    if sent.proxy_protocol is False and expects is not None:
        forwards = each.family == "stream" and not ctx.model.flag(each.scope, "ssl_preread", False)
        return _hit(
            each,
            sent,
            socket,
            "{socket} expects the PROXY protocol, which is not sent"
            + (", unless clients send it" if forwards else ""),
            expects,
            Severity.INFO if forwards else None,
        )
    tls = next((listen for _, listen in socket.members if listen.ssl), None)
    if sent.tls and tls is None and not _is_tls_server(ctx.model, socket):
        return _hit(each, sent, socket, "TLS is sent to {socket}, which has no ssl parameter")
    if sent.tls is False and tls is not None:
        return _hit(each, sent, socket, "plain text is sent to {socket}, which expects TLS", tls)
    if family == "http" and each.family == "http":
        return _versions(ctx, each, sent, socket, tls is not None)
    return None


def _versions(ctx: CheckContext, each: Pass, sent: _Sent, socket: Socket, tls: bool) -> Hit | None:
    """HTTP/2 to a socket without it, or HTTP/1 to a plain one that speaks nothing else."""
    servers = [server.directive for server in socket.servers]
    by_listen = next((listen for _, listen in socket.members if listen.http2), None)
    by_flag = any(ctx.model.flag(server, "http2", False) is not False for server in servers)
    if sent.http2 and by_listen is None and not by_flag:
        if any(ctx.model.may_be_set(server, "http2") for server in servers):
            return None
        return _hit(each, sent, socket, "HTTP/2 is sent to {socket}, where http2 is off")
    if not sent.http2 and by_listen is not None and not tls and not ctx.target.since(HTTP2_DIRECTIVE):
        return _hit(
            each, sent, socket, "HTTP/1 is sent to {socket}, which without ssl speaks only HTTP/2", by_listen
        )
    return None


def _http_sent(model: Model, each: Pass) -> _Sent | None:
    scheme, separator, _ = each.text.lower().partition("://")
    if each.protocol not in ("proxy", "grpc") or "$" in (scheme if separator else each.text):
        return None
    http2 = each.protocol == "grpc" or model.value(each.scope, "proxy_http_version") == "2"
    return _Sent(proxy_protocol=False, tls=scheme in ("https", "grpcs"), http2=http2)


def _stream_sent(model: Model, each: Pass, chosen: str) -> _Sent | None:
    server = each.server
    sends = model.flag(each.scope, "proxy_protocol", False)
    encrypts = model.flag(each.scope, "proxy_ssl", False)
    if server is None or server.listen_unknown or sends is None or encrypts is None:
        return None
    if all(listen.udp for listen in server.listens):
        return None
    if sends is False and model.may_be_set(each.scope, "proxy_protocol"):
        sends = None
    written = (
        model.effective(each.scope, "proxy_protocol") if sends else model.effective(each.scope, "proxy_ssl")
    )
    tls = True if encrypts else _passed_on(model, each, server, chosen)
    if tls is False and model.may_be_set(each.scope, "proxy_ssl"):
        tls = None
    return _Sent(proxy_protocol=sends, tls=tls, because=written[0] if written else None)


def _passed_on(model: Model, each: Pass, server: Server, chosen: str) -> bool | None:
    """Whether what clients send is TLS: where it is ended here it is plain, where its name is read it is TLS."""
    if any(listen.ssl for listen in server.listens):
        return False if all(listen.ssl for listen in server.listens) else None
    if not model.flag(each.scope, "ssl_preread", False):
        return None
    return True if not chosen or _is_for_a_name(model, each, chosen) else None


def _is_for_a_name(model: Model, each: Pass, chosen: str) -> bool:
    """Whether a map chooses ``chosen`` for a name in TLS, and not only by default, which plain text gets, too."""
    for reference in references(each.text):
        for block in model.variable_definitions("stream").get(reference.name, ()):
            if block.name != "map" or block.args[0].lower().strip("${}") != "ssl_preread_server_name":
                return False
            if not any(
                line.args[:1] == [chosen] and line.name not in ("default", "", '""')
                for line in block.children
            ):
                return False
    return True


def _is_tls_server(model: Model, socket: Socket) -> bool:
    """Before 1.25.1 ``ssl on`` does what the parameter of ``listen`` does."""
    return any(model.value(server.directive, "ssl") == "on" for server in socket.servers)


def _hit(
    each: Pass,
    sent: _Sent,
    socket: Socket,
    message: str,
    listen: Listen | None = None,
    severity: Severity | None = None,
) -> Hit:
    other = listen or socket.members[0][1]
    related: list[tuple[str, Place]] = []
    if other.directive is not None:
        related.append(("the other end", whole(other.directive)))
    if sent.because is not None:
        related.append(("because of this directive", whole(sent.because)))
    return Hit(
        whole(each.directive),
        message.format(socket=socket.key),
        each.directive,
        related=tuple(related),
        severity=severity,
        confidence=Confidence.LOW if severity is not None else None,
        help="Make both ends of the connection use the same protocol.",
    )
