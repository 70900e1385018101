"""Addresses as nginx reads them (``ngx_parse_url`` in src/core/ngx_inet.c), as far as text decides."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

MAX_UNIX_PATH = 107  # bytes: sizeof(sockaddr_un.sun_path) on Linux, less the final NUL


class Address(Struct, frozen=True):
    """Where something listens or is reached.

    ``kind``: ``inet``, ``inet6`` (literals), ``unix`` (``host`` is the path), ``name`` (a host
    name) or ``wildcard`` (any local address). ``host`` is in its normal spelling: literals
    canonical, names in lower case. ``port`` is None where none was given and there is no default;
    ``last_port`` ends a range. ``explicit_port`` says that a port was written.
    """

    kind: str
    host: str
    port: int | None = None
    last_port: int | None = None
    explicit_port: bool = False

    @property
    def is_literal(self) -> bool:
        """No name has to be resolved."""
        return self.kind != "name"

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix:{self.host}"
        host = f"[{self.host}]" if self.kind == "inet6" else self.host
        return host if self.port is None else f"{host}:{self.port}"


@lru_cache(maxsize=2048)
def parse_address(text: str, default_port: int | None = None, *, listen: bool = False) -> Address:
    """Address written as ``host``, ``host:port``, ``[v6]:port`` or ``unix:/path``.

    With ``listen`` also ``port``, ``*``, ``*:port`` and port ranges. Raises `ValueError`.
    """
    if text[:5].lower() == "unix:":
        return _unix(text)
    if "/" in text or "?" in text:
        raise ValueError(f'invalid host in "{text}": it must be an address without a path')
    if text.startswith("["):
        return _inet6(text, default_port, listen)
    host, colon, port = text.partition(":")
    if listen and not colon and _is_port_text(text):
        low, high = _ports(text, text, listen)
        return Address("wildcard", "*", low, high, True)
    first: int | None = default_port
    last: int | None = None
    if colon:
        first, last = _ports(port, text, listen)
    if not host:
        raise ValueError(f'"{text}" has no host')
    if listen and host == "*":
        return Address("wildcard", "*", first, last, bool(colon))
    return _host(host, first, last, bool(colon))


def parse_inet4(text: str) -> str:
    """IPv4 address in its normal spelling, read as leniently as nginx does. Raises `ValueError`.

    ``ngx_inet_addr``: decimal octets up to 255, leading zeros allowed, an empty octet is zero.
    """
    literal = _inet4(text)
    if literal is None:
        raise ValueError(f'"{text}" is not an IPv4 address')
    return literal


def _inet4(text: str) -> str | None:
    if text.count(".") != 3 or not _digits(text.replace(".", "") or "0"):
        return None
    try:
        numbers = [int(octet or 0) for octet in text.split(".")]
    except ValueError:  # thousands of digits
        return None
    return ".".join(map(str, numbers)) if max(numbers) <= 255 else None


def is_inet6(text: str) -> bool:
    """Whether ``text`` is an IPv6 address, without brackets."""
    import ipaddress  # few configurations have one

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _unix(text: str) -> Address:
    path = text[5:]
    if not path:
        raise ValueError(f'"{text}" has no path behind unix:')
    if len(path.encode("utf-8", "surrogateescape")) > MAX_UNIX_PATH:
        raise ValueError(f'the path in "{text}" is longer than {MAX_UNIX_PATH} bytes')
    return Address("unix", path)


def _host(host: str, port: int | None, last: int | None, explicit: bool) -> Address:
    literal = _inet4(host)
    if literal is None:
        return Address("name", host.lower(), port, last, explicit)
    return Address("inet", literal, port, last, explicit)


def _inet6(text: str, default_port: int | None, listen: bool) -> Address:
    host, bracket, rest = text[1:].partition("]")
    if not bracket:
        raise ValueError(f'"{text}" has no closing bracket')
    if rest and not rest.startswith(":"):
        raise ValueError(f'"{text}": a colon and a port must follow the bracket')
    first, last = _ports(rest[1:], text, listen) if rest else (default_port, None)
    import ipaddress  # few configurations have such an address

    try:
        literal = ipaddress.IPv6Address(host)
    except ValueError:
        raise ValueError(f'"{host}" is not an IPv6 address') from None
    return Address("inet6", str(literal), first, last, bool(rest))


def _is_port_text(text: str) -> bool:
    first, dash, last = text.partition("-")
    return _digits(first) and (not dash or last == "" or last.isascii())


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _ports(text: str, whole: str, listen: bool) -> tuple[int, int | None]:
    first, dash, last = text.partition("-")
    if not dash:
        return _port(text, whole), None
    if not listen:
        raise ValueError(f'"{whole}": a range of ports is only allowed in listen')
    low, high = _port(first, whole), _port(last, whole)
    if high < low:
        raise ValueError(f'"{whole}": the range of ports ends before it begins')
    return low, high


def _port(text: str, whole: str) -> int:
    if not _digits(text) or not 1 <= int(text) <= 65535:
        raise ValueError(f'"{whole}" has an invalid port')
    return int(text)
