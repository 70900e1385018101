"""Client addresses as numbers, and the real address behind proxies (src/http/modules/ngx_http_realip_module.c)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from nginxaudit.model.access import read_network
from nginxaudit.request.flight import Flight, Lost

if TYPE_CHECKING:
    from nginxaudit.syntax.tree import Directive


@lru_cache(maxsize=1024)
def number_of(text: str) -> tuple[int, int] | None:
    """Version and number of an address; an IPv6 address that stands for an IPv4 one is that one. None for others."""
    import ipaddress

    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return (4, int(mapped)) if mapped else (address.version, int(address))


@lru_cache(maxsize=4096)
def within(address: str, network: str) -> bool:
    """Whether an address is in a network."""
    number, found = number_of(address), read_network(network)
    if number is None or found is None or found[0].version != number[0]:
        return False
    return int(found[0].network_address) <= number[1] <= int(found[0].broadcast_address)


def real_ip(flight: Flight, block: Directive) -> None:
    """Replace the client's address by that of a trusted header, once in a request."""
    model = flight.model
    trusted = [str(node.args[0]) for node in model.effective(block, "set_real_ip_from") if node.args]
    if not trusted or flight.real_ip_done:
        return
    node = model.effective(block, "set_real_ip_from")[0]
    values = _told(flight, block, node)
    if not values:
        return
    if flight.client is None:
        raise Lost("whether the client is a trusted proxy is not known (--from gives its address)", node)
    recursive = bool(model.flag(block, "real_ip_recursive", False))
    _replace(flight, trusted, values, recursive, node)


def _told(flight: Flight, block: Directive, node: Directive) -> list[str]:
    """Texts with addresses: the lines of X-Forwarded-For, one line of another header, or the PROXY protocol's."""
    header = (flight.model.value(block, "real_ip_header") or "X-Real-IP").lower()
    if header == "proxy_protocol" or flight.ask.family == "stream":
        return _of_proxy_protocol(flight, node)
    values = [text for name, text in flight.headers if name.lower() == header]
    return values if header == "x-forwarded-for" else values[:1]


def _of_proxy_protocol(flight: Flight, node: Directive) -> list[str]:
    if not flight.socket.proxy_protocol:
        return []
    if flight.ask.proxied is None and flight.client is not None:
        words = "the address in the PROXY protocol header counts"
        flight.note("real ip", node, words, f"taken to be {flight.client}, too (--proxy-protocol gives it)")
    return [flight.ask.proxied] if flight.ask.proxied else []


def _replace(flight: Flight, trusted: list[str], values: list[str], recursive: bool, node: Directive) -> None:
    client = flight.client
    assert client is not None
    for text in reversed(values):
        found, whole = _behind(client, text, trusted, recursive)
        if found is not None:
            client = found
        if not recursive or not whole:
            break
    if client != flight.client:
        flight.real_ip_done = True
        flight.note("real ip", node, f"the client's address is {client}", f"{flight.client} is trusted")
        flight.client = client


def _behind(client: str, text: str, trusted: list[str], recursive: bool) -> tuple[str | None, bool]:
    """The address that a header tells of, from its end on, and whether all of it was trusted."""
    found: str | None = None
    words = [word for word in text.replace(",", " ").split(" ") if word]
    if not words:
        return None, False
    for word in reversed(words):
        if not _is_trusted(client, trusted):
            return found, False
        address = _address(word)
        if address is None:
            return found, False
        client = found = address
        if not recursive:
            return found, True
    return found, True


def _is_trusted(client: str, trusted: list[str]) -> bool:
    if client.startswith("unix:"):
        return "unix:" in trusted
    return any(within(client, network) for network in trusted)


def _address(word: str) -> str | None:
    """The address of ``1.2.3.4``, ``1.2.3.4:80`` or ``[::1]:80``."""
    if number_of(word) is not None:
        return word.strip("[]")
    host, colon, port = word.rpartition(":")
    return host.strip("[]") if colon and port.isdigit() and number_of(host) is not None else None
