"""Sockets that servers listen on, compared as nginx compares them.

Two ``listen`` lines mean one socket when transport, address family, address and port are equal
(``ngx_http_add_listen`` in src/http/ngx_http.c, ``ngx_cmp_sockaddr`` in src/core/ngx_inet.c):
``80``, ``*:80`` and ``0.0.0.0:80`` are one, ``[::]:80`` is another one whatever ``ipv6only`` says,
and QUIC and UDP sockets are never those of TCP.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from nginxaudit.nginx import Address, parse_address
from nginxaudit.syntax.tree import Directive, Token

MAX_RANGE = 1024  # ports of one range that are listed one by one
ROOT_PORT = 80
USER_PORT = 8000
"""Port of an http server without ``listen``: 80 if nginx is started as root, else 8000
(``ngx_http_core_server`` in src/http/ngx_http_core_module.c)."""

_SOCKET_OPTIONS = frozenset(
    {
        "bind", "setfib", "fastopen", "backlog", "rcvbuf", "sndbuf", "accept_filter", "deferred", "ipv6only",
        "reuseport", "multipath", "so_keepalive",
    }
)  # fmt: skip


class SocketKey(NamedTuple):
    """Identity of a socket. ``port`` is None for a UNIX socket, whose path is ``host``."""

    transport: str  # tcp or udp
    kind: str  # inet, inet6, unix or name
    host: str
    port: int | None

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix:{self.host}"
        host = f"[{self.host}]" if self.kind == "inet6" else self.host
        return f"{host}:{self.port}" + ("/udp" if self.transport == "udp" else "")


class Listen(Struct, frozen=True, eq=False):
    """One socket of a ``listen`` line; a range of ports gives several.

    ``kind`` is inet, inet6, unix or name (a host name, whose addresses are unknown). ``host`` is
    ``*`` for any IPv4 address, ``::`` for any IPv6 address, a path for a UNIX socket. ``options``
    holds every parameter behind the address (a flag has None). ``implicit`` is the socket that
    nginx opens for an http server without ``listen``; it has no ``directive`` and, unless nginx is
    started as root, port 8000 instead of 80. ``dual_stack``: it also accepts IPv4.
    """

    kind: str
    host: str
    port: int | None
    udp: bool = False
    quic: bool = False
    ssl: bool = False
    http2: bool = False
    proxy_protocol: bool = False
    default_server: bool = False
    dual_stack: bool = False
    options: dict[str, str | None] = field(default_factory=dict)
    directive: Directive | None = None

    @property
    def implicit(self) -> bool:
        """Nobody wrote it."""
        return self.directive is None

    @property
    def transport(self) -> str:
        """``udp`` (also for QUIC) or ``tcp``."""
        return "udp" if self.udp or self.quic else "tcp"

    @property
    def key(self) -> SocketKey:
        """What nginx compares."""
        return SocketKey(self.transport, self.kind, self.host, self.port)

    @property
    def is_wildcard(self) -> bool:
        """Listens on all addresses of its family."""
        return (self.kind, self.host) in (("inet", "*"), ("inet6", "::"))

    @property
    def socket_options(self) -> dict[str, str | None]:
        """The parameters that only one ``listen`` of a socket may have."""
        return {name: value for name, value in self.options.items() if name in _SOCKET_OPTIONS}

    def _compared(self) -> tuple[object, ...]:
        flags = (self.ssl, self.http2, self.proxy_protocol, self.default_server, self.dual_stack)
        return (self.kind, self.host, self.port, self.udp, self.quic, *flags)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Listen) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())

    def __str__(self) -> str:
        return str(self.key)


IMPLICIT = Listen("inet", "*", ROOT_PORT)
"""The socket of an http server without ``listen``."""


def parse_listen(directive: Directive, family: str) -> list[Listen]:
    """Sockets of one ``listen`` line.

    In stream and mail there is no default port: without one the system chooses (0). Raises
    `ValueError` for an address that nginx refuses or that text cannot decide (templates). Unknown
    parameters are kept in ``options``.
    """
    if not directive.args:
        raise ValueError('"listen" needs an address or a port')
    _require_known(directive.args[0])
    return [replace(each, directive=directive) for each in _read(tuple(directive.args), family)]


def _require_known(address: Token) -> None:
    if "$" in address or address.filled:
        raise ValueError(f'the address "{address}" is filled in by something else')


@lru_cache(maxsize=1024)
def _read(words: tuple[Token, ...], family: str) -> tuple[Listen, ...]:
    """Sockets of the words of a ``listen``: thousands of servers have the same line."""
    address = _address(words[0], family)
    options = dict(map(_option, words[1:]))
    ports = (address.port, *_further_ports(address))
    return tuple(_listen(address, port, options) for port in ports)


def _address(text: Token, family: str) -> Address:
    return parse_address(text, 80 if family == "http" else 0, listen=True)


def _further_ports(address: Address) -> Iterator[int]:
    """Ports of a range behind its first; of a huge one only the beginning and the end."""
    if address.port is None or address.last_port is None:
        return
    listed = min(address.last_port, address.port + MAX_RANGE - 1)
    yield from range(address.port + 1, listed + 1)
    if address.last_port > listed:
        yield address.last_port


def _option(token: Token) -> tuple[str, str | None]:
    name, equals, value = token.partition("=")
    return name, value if equals else None


def _listen(address: Address, port: int | None, options: dict[str, str | None]) -> Listen:
    kind, host = _normal(address)
    return Listen(
        kind=kind,
        host=host,
        port=None if kind == "unix" else port,
        udp="udp" in options,
        quic="quic" in options,
        ssl="ssl" in options,
        http2="http2" in options,
        proxy_protocol="proxy_protocol" in options,
        default_server="default_server" in options or "default" in options,
        dual_stack=(kind, host) == ("inet6", "::") and options.get("ipv6only") == "off",
        options=options,
    )


def _normal(address: Address) -> tuple[str, str]:
    if address.kind == "wildcard" or (address.kind == "inet" and address.host == "0.0.0.0"):
        return "inet", "*"
    return address.kind, address.host
