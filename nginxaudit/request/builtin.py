"""Variables that nginx itself defines: ``$uri``, ``$host``, ``$arg_NAME`` and others.

src/http/ngx_http_variables.c says what they are and which of them are computed anew at every use. A walk gives them to its
`Flight`, where texts with variables find them: some of these variables are made of such texts themselves.
"""

from __future__ import annotations

from collections.abc import Callable

from nginxaudit.nginx.version import format_version
from nginxaudit.request.access import login_of
from nginxaudit.request.files import NoPath, is_dir, is_file, path_of, root_of
from nginxaudit.request.flight import Builtin, Flight, Unknown, Value
from nginxaudit.request.named import header
from nginxaudit.request.passing import script_name
from nginxaudit.request.referer import invalid_referer
from nginxaudit.request.uri import lower


def _remote_addr(flight: Flight) -> Value:
    if flight.client is None:
        return Unknown("$remote_addr", "the client's address is not known (--from)", name="remote_addr")
    return flight.client


def _server_name(flight: Flight) -> Value:
    names = flight.server.names
    if not names or names[0].token is None:
        return ""
    first = names[0]
    text = str(first.token)
    return text if first.kind == "regex" else lower(text).removeprefix(".")


def _host(flight: Flight) -> Value:
    return flight.host or _server_name(flight)


def _is_args(flight: Flight) -> Value:
    return "?" if flight.args else ""


def _document_root(flight: Flight) -> Value:
    return root_of(flight)


def _realpath_root(flight: Flight) -> Value:
    """The root with its links followed; empty for one that does not exist."""
    root = root_of(flight)
    if isinstance(root, Unknown) or not flight.world.complete:
        return Unknown("$realpath_root", "links are not followed", name="realpath_root")
    path = root.rstrip("/") or "/"
    return path if is_dir(flight, path) or is_file(flight, path) else ""


def _request_filename(flight: Flight) -> Value:
    try:
        return path_of(flight)
    except NoPath:
        return ""


def _request(flight: Flight) -> Value:
    return f"{flight.ask.method} {flight.ask.target} HTTP/{flight.ask.version}"


def _remote_user(flight: Flight) -> Value:
    login = login_of(flight)
    return login if login is not None else ""


def _server_addr(flight: Flight) -> Value:
    if flight.ask.address is None:
        return Unknown(
            "$server_addr", "the address that the client connects to is not known", name="server_addr"
        )
    return flight.ask.address


def _proxy_protocol_addr(flight: Flight) -> Value:
    if not flight.socket.proxy_protocol:
        return ""
    if flight.ask.proxied is None:
        name = "proxy_protocol_addr"
        return Unknown(f"${name}", "the PROXY protocol header is not known (--proxy-protocol)", name=name)
    return flight.ask.proxied


def _binary_addr(flight: Flight) -> Value:
    address = _remote_addr(flight)
    if isinstance(address, Unknown):
        return Unknown("$binary_remote_addr", address.reason, name="binary_remote_addr")
    import ipaddress

    try:
        return ipaddress.ip_address(address).packed.decode("utf-8", "surrogateescape")
    except ValueError:
        return address


def _nginx_version(flight: Flight) -> Value:
    target = flight.model.target.target
    if target.is_range:
        return Unknown("$nginx_version", "the version is not known (--nginx-version)", name="nginx_version")
    return format_version(target.version)


def _forwarded(flight: Flight) -> Value:
    """``$proxy_add_x_forwarded_for``."""
    sent = header(flight, "x-forwarded-for")
    address = _remote_addr(flight)
    if isinstance(address, Unknown):
        return Unknown(f"{sent}, $remote_addr" if sent else "$remote_addr", address.reason)
    return f"{sent}, {address}" if sent else address


def _script_name(flight: Flight) -> Value:
    return script_name(flight)[0]


def _path_info(flight: Flight) -> Value:
    return script_name(flight)[1]


def _as(text: str) -> Callable[[Flight], Value]:
    return lambda flight: text


BUILTIN: dict[str, Builtin] = {
    "uri": Builtin(lambda flight: flight.uri),
    "document_uri": Builtin(lambda flight: flight.uri),
    "args": Builtin(lambda flight: flight.args),
    "query_string": Builtin(lambda flight: flight.args),
    "is_args": Builtin(_is_args),
    "request_uri": Builtin(lambda flight: flight.raw),
    "request": Builtin(_request),
    "request_method": Builtin(lambda flight: flight.main.method),
    "request_filename": Builtin(_request_filename),
    "document_root": Builtin(_document_root),
    "realpath_root": Builtin(_realpath_root),
    "host": Builtin(_host),
    "scheme": Builtin(lambda flight: flight.ask.scheme),
    "https": Builtin(lambda flight: "on" if flight.ask.tls else ""),
    "server_protocol": Builtin(lambda flight: flight.protocol),
    "server_name": Builtin(_server_name),
    "server_port": Builtin(lambda flight: str(flight.ask.port)),
    "server_addr": Builtin(_server_addr),
    "remote_addr": Builtin(_remote_addr, cached=True),
    "binary_remote_addr": Builtin(_binary_addr, cached=True),
    "realip_remote_addr": Builtin(lambda flight: flight.ask.client or _remote_addr(flight)),
    "remote_user": Builtin(_remote_user),
    "proxy_protocol_addr": Builtin(_proxy_protocol_addr, cached=True),
    "content_length": Builtin(lambda flight: flight.length),
    "content_type": Builtin(lambda flight: header(flight, "content-type")),
    "nginx_version": Builtin(_nginx_version),
    "http2": Builtin(lambda flight: "h2" if flight.ask.version == "2.0" else ""),
    "proxy_host": Builtin(lambda flight: flight.proxy_host),
    "proxy_add_x_forwarded_for": Builtin(_forwarded),
    "fastcgi_script_name": Builtin(_script_name),
    "fastcgi_path_info": Builtin(_path_info),
    "sent_http_content_type": Builtin(lambda flight: flight.sent_type, cached=True),
    "invalid_referer": Builtin(invalid_referer),
    "http_host": Builtin(lambda flight: flight.host_header or ""),
    "limit_rate": Builtin(_as("0")),
}


def _handshake(flight: Flight) -> Value:
    """The TLS name of a socket with ``ssl``."""
    return flight.handshake or ""


def _preread_name(flight: Flight) -> Value:
    return flight.preread or ""


def _preread_alpn(flight: Flight) -> Value:
    if flight.preread is None:
        return ""
    if flight.ask.alpn is None:
        name = "ssl_preread_alpn_protocols"
        return Unknown(f"${name}", "the protocols that the client offers are not known (--alpn)", name=name)
    return ",".join(flight.ask.alpn)


def _preread_protocol(flight: Flight) -> Value:
    if flight.preread is None:
        return ""
    name = "ssl_preread_protocol"
    return Unknown(f"${name}", "the TLS version of the client is not known", _VERSIONS, name)


_VERSIONS = ("TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1")

_STREAM: dict[str, Callable[[Flight], Value]] = {
    "remote_addr": _remote_addr,
    "binary_remote_addr": _binary_addr,
    "realip_remote_addr": lambda flight: flight.ask.client or _remote_addr(flight),
    "server_addr": _server_addr,
    "server_port": lambda flight: str(flight.ask.port),
    "server_name": _server_name,
    "protocol": lambda flight: "UDP" if flight.ask.protocol == "udp" else "TCP",
    "proxy_protocol_addr": _proxy_protocol_addr,
    "ssl_preread_server_name": _preread_name,
    "ssl_preread_alpn_protocols": _preread_alpn,
    "ssl_preread_protocol": _preread_protocol,
    "ssl_server_name": _handshake,
    "nginx_version": _nginx_version,
}

STREAM = {name: Builtin(get, cached=True) for name, get in _STREAM.items()}
"""Those of stream: all of them keep their first value, even one from before the handshake."""
