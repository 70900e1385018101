"""What nginx loads with a warning, in its words: mostly something is written that has another effect, or none."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from ipaddress import ip_interface

from nginxaudit.load.base import LoadState, Mistake, Use, finally_, reads
from nginxaudit.nginx import directives, known_names
from nginxaudit.syntax.tree import Directive, Token

RULE = "nginx-warning"


def warning(
    token: Token, message: str, remedy: str, node: Directive | None = None, *earlier: Directive, why: str = ""
) -> Mistake:
    """Something that nginx only warns about."""
    related = tuple(("first here", each) for each in earlier)
    return Mistake(RULE, message, token, remedy, node, related, rejected=False, why=why)


@reads("server_name", family="http stream", by_words=True)
def suspicious_names(use: Use) -> Iterator[Mistake]:
    """Names and regular expressions with a slash match nothing that a client sends."""
    for token in use.args:
        if "/" in token:
            remedy = "Write the host only: a path is for location."
            why = "The host of a request contains no slash: the name never matches."
            yield warning(token, f'server name "{token}" has suspicious symbols', remedy, why=why)


@reads("allow", "deny", "set_real_ip_from", family="http stream mail", by_words=True)
def low_bits(use: Use) -> Iterator[Mistake]:
    """A network with bits behind its mask."""
    for token in use.args[:1]:
        yield from _low_bits(token)


def _low_bits(token: Token, node: Directive | None = None) -> Iterator[Mistake]:
    network = _network(token)
    if network and str(network[0]) != str(network[1]):
        remedy = f"Write {network[1]}/{network[2]}, or the address that is meant."
        why = f"nginx takes it for the whole network {network[1]}/{network[2]}."
        yield warning(token, f"low address bits of {token} are meaningless", remedy, node, why=why)


def _network(text: str) -> tuple[object, object, int] | None:
    """Address, first address of the network, and bits; None for what is no network."""
    try:
        interface = ip_interface(str(text))
    except ValueError:
        return None
    return interface.ip, interface.network.network_address, interface.network.prefixlen


@reads("geo", family="http stream")
def networks(use: Use) -> Iterator[Mistake]:
    """Lines of ``geo``: networks with bits behind the mask, and those that are written twice."""
    if not use.node.is_block or any(line.name == "ranges" for line in use.node.children):
        return
    seen: dict[str, Directive] = {}
    for line in use.node.children:
        if len(line.args) != 1 or line.name in ("include", "default", "proxy", "delete"):
            continue
        yield from _low_bits(line.word, line)
        network = _network(str(line.name))
        earlier = seen.setdefault(f"{network[1]}/{network[2]}" if network else str(line.name), line)
        if earlier is not line:
            message = (
                f'duplicate network "{line.name}", value: "{line.args[0]}", old value: "{earlier.args[0]}"'
            )
            yield warning(
                line.word, message, "Keep one of the two lines: the last one counts.", line, earlier
            )


@finally_
def keys_of_caches(load: LoadState) -> Iterator[Mistake]:
    """A cache of FastCGI, uwsgi or SCGI has no key unless one is written: all answers have the same."""
    for protocol in ("fastcgi", "uwsgi", "scgi"):
        key = f"{protocol}_cache_key"
        for node in load.model.config.named(f"{protocol}_cache"):
            scope = node.parent
            if not node.args or node.args[0] == "off" or scope is None or scope.name in ("", "http"):
                continue
            if not load.model.effective(scope, key) and not load.model.may_be_set(scope, key):
                message = f'no "{key}" for "{protocol}_cache"'
                yield warning(
                    node.args[0],
                    message,
                    f"Write {key} $scheme$request_method$host$request_uri;",
                    node,
                    why="Without a key all requests get the same cached response.",
                )


@cache
def _bitmasks() -> tuple[str, ...]:
    """Directives whose words are bits of one mask."""
    return tuple(
        name
        for name in sorted(known_names())
        if any(fact.type == "bitmask" and not fact.third_party for fact in directives(name))
    )


@finally_
def duplicate_values(load: LoadState) -> Iterator[Mistake]:
    """A word that a directive of this block has already: repeated directives add to the same mask."""
    for name in _bitmasks():
        seen: dict[tuple[int, str], Directive] = {}
        for node in load.model.config.named(name):
            for token in node.args:
                earlier = seen.setdefault((id(node.parent), token.lower()), node)
                if earlier is not node or _occurs_before(node, token):
                    remedy = "Delete the repeated value."
                    yield warning(token, f'duplicate value "{token}"', remedy, node, earlier)


def _occurs_before(node: Directive, token: Token) -> bool:
    return any(each.lower() == token.lower() for each in node.args if each.start < token.start)
