"""What the grammars of several fields judge alike: networks, host names, lines of data."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.load.base import Mistake, Use
from nginxaudit.nginx import is_inet6, parse_inet4


def blocks_among_data(use: Use) -> Iterator[Mistake]:
    """Lines of data cannot be blocks."""
    for line in use.node.children:
        if line.is_block:
            yield Mistake(
                "unexpected-token",
                f'unexpected "{{": "{line.name}" cannot open a block inside "{use.name}"',
                None,
                f'Close the "{use.name}" block before it.',
                line,
            )


def host_forms(name: str) -> list[tuple[str, str]] | None:
    """Where nginx files a host name with or without wildcard; None for one it refuses.

    ``ngx_hash_add_key`` in src/core/ngx_hash.c.
    """
    if name.count("*") > 1 or ".." in name:
        return None
    if name.startswith(".") and len(name) > 1 and "*" not in name:
        return [("exact", name[1:]), ("head", name[1:])]
    if name.startswith("*.") and len(name) > 2:
        return [("head", name[2:])]
    if name.endswith(".*") and len(name) > 2:
        return [("tail", name[:-2])]
    return None if "*" in name else [("exact", name)]


def network_error(text: str) -> str:
    """What is wrong with an address or a network in CIDR notation; empty if nothing (``ngx_ptocidr``)."""
    address, slash, bits = text.partition("/")
    try:
        parse_inet4(address)
        most = 32
    except ValueError:
        if not is_inet6(address):
            return f'"{text}" is neither an address nor a network'
        most = 128
    if slash and not (bits.isascii() and bits.isdigit() and int(bits) <= most):
        return f'"{text}": the number of bits after the slash must be 0 to {most}'
    return ""
