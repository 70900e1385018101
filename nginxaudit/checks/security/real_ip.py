"""Addresses that proxies report: who is trusted to, and whether it arrives."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.security.access import unread
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.access import is_local, read_network
from nginxaudit.syntax.tree import Directive

_CLAIMED = "proxy_protocol_addr"
_WIDE = {4: 8, 6: 16}
_MEANT = (
    "x-forwarded-for",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "fastly-client-ip",
    "proxy_protocol",
)
_ADDRESS_HEADERS = frozenset(
    {
        *_MEANT,
        "cf-connecting-ipv6",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-forwarded",
        "forwarded-for",
        "forwarded",
    }
)
"""Headers in which proxies send an address; the first ones are those that people mean."""
_UPPER = {"ip": "IP", "cf": "CF"}


def real_ip_trusts_all(ctx: CheckContext) -> Iterable[Hit]:
    """``set_real_ip_from`` that lets clients choose their address."""
    for node in ctx.model.config.named("set_real_ip_from"):
        read = read_network(node.args[0]) if node.args else None
        if read is None or (read[0].is_private and read[0].prefixlen):
            continue
        found = read[0]
        if found.prefixlen < _WIDE[found.version]:
            by_protocol = ctx.model.value(node, "real_ip_header") == "proxy_protocol"
            from nginxaudit.checks.headers import shortfalls  # only who has such a finding pays for it

            yield Hit(
                whole(node),
                f"set_real_ip_from {node.args[0]} trusts {'every client' if found.prefixlen == 0 else 'a very large network'}: clients can forge their address",
                node,
                severity=Severity.WARNING if by_protocol or found.prefixlen else None,
                help="List only the addresses of your proxies.",
                witness=shortfalls.forged_address(ctx, node),
            )


def real_ip_ineffective(ctx: CheckContext) -> Iterable[Hit]:
    """``real_ip_header`` without a trusted sender, without an address to use, or that no proxy sends."""
    for node in ctx.model.config.named("real_ip_header"):
        block = node.parent
        meant = _misspelt(node)
        if meant is not None:
            yield Hit(
                whole(node),
                f"real_ip_header names {node.args[0]}, which no proxy sends: clients keep the proxy's address",
                node,
                help=f"Write real_ip_header {meant};",
            )
            continue
        if block is None or unread(ctx.model, block) or ctx.model.may_be_set(block, "set_real_ip_from"):
            continue
        trusted = ctx.model.effective(block, "set_real_ip_from") or any(
            inner.name == "set_real_ip_from" for inner in block.walk()
        )
        if not trusted:
            problem = "real_ip_header has no effect without set_real_ip_from: no sender is trusted"
            remedy = "Add set_real_ip_from with the address of the proxy."
        elif node.args[:1] == ["proxy_protocol"] and not _gets_proxy_protocol(ctx.model):
            if ctx.model.unread_files("http"):
                continue
            problem = "real_ip_header proxy_protocol has no effect: no listen directive has proxy_protocol"
            remedy = "Add proxy_protocol to the listen directive of the proxy's port."
        else:
            continue
        yield Hit(whole(node), problem, node, help=remedy)
    yield from _trusts_no_address(ctx)


def _misspelt(node: Directive) -> str | None:
    """The header that is meant by a name that no proxy sends."""
    from difflib import get_close_matches

    name = node.args[0].lower() if node.args else ""
    if name in _ADDRESS_HEADERS or not name:
        return None
    plain = name.removeprefix("$").removeprefix("http_").replace("_", "-")
    found = [plain] if plain in _ADDRESS_HEADERS else get_close_matches(plain, _MEANT, n=1, cutoff=0.9)
    if not found or (found[0] in plain and plain not in _ADDRESS_HEADERS):
        return None  # a longer name is a header of its own
    return "-".join(_UPPER.get(part, part.capitalize()) for part in found[0].split("-"))


def _trusts_no_address(ctx: CheckContext) -> Iterable[Hit]:
    """The unspecified address, written as if it meant every address."""
    for node in ctx.model.config.named("set_real_ip_from"):
        read = read_network(node.args[0]) if node.args else None
        if read is None or read[0].num_addresses > 1 or not read[0].network_address.is_unspecified:
            continue
        yield Hit(
            whole(node),
            f"set_real_ip_from {node.args[0]} trusts only the address {read[0].network_address}, from which no proxy connects",
            node,
            help="List only the addresses of your proxies.",
        )


def _gets_proxy_protocol(model: Model) -> bool:
    return any(
        listen.proxy_protocol
        for server in (*model.servers("http"), *model.servers("stream"))
        for listen in server.listens
    )


def proxy_protocol_unverified(ctx: CheckContext) -> Iterable[Hit]:
    """The address in a PROXY protocol header is used in a decision, and any client can send one."""
    if ctx.model.config.named("set_real_ip_from"):
        return
    deciding = ("geo", "map", "if", "limit_req_zone", "limit_conn_zone")
    if not any(
        _CLAIMED in token for name in deciding for node in ctx.model.config.named(name) for token in node.args
    ):
        return
    users = [node for node, token in ctx.model.texts if _CLAIMED in token and node.name in deciding]
    if not users:
        return
    for server in ctx.model.servers("http"):
        for listen in server.listens:
            if listen.proxy_protocol and listen.directive is not None and not is_local(server):
                hit = Hit(
                    whole(listen.directive),
                    "the address in the PROXY protocol header is used in a decision, but any client can forge it",
                    listen.directive,
                    related=(("the address is used here", whole(users[0])),),
                    help="Allow only the load balancer to connect, and add its address to set_real_ip_from.",
                )
                yield unless(ctx.model.is_part("http"), "http has set_real_ip_from", hit)
                return
