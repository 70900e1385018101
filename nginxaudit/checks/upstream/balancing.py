"""How servers are chosen: methods, keys, their order in the block, and the same server twice."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.upstream.common import group_place, peer_place, related_peers
from nginxaudit.finding import Applicability, Edit, Fix, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, unless, whole
from nginxaudit.model.access import access_of
from nginxaudit.model.peer import Peer
from nginxaudit.model.upstream import METHODS, Upstream
from nginxaudit.model.variables import references
from nginxaudit.nginx.since import KEEPALIVE_BY_DEFAULT
from nginxaudit.syntax.tree import Directive

_CONSTANT = frozenset({"hostname", "nginx_version", "pid", "scheme", "server_protocol"})
_CLIENT_KEYS = frozenset({"$remote_addr", "$binary_remote_addr", "${remote_addr}", "${binary_remote_addr}"})
_FORWARDED = ("$http_x_forwarded_for", "$http_x_real_ip", "$http_cf_connecting_ip", "$http_true_client_ip")


def multiple_balancing_methods(ctx: CheckContext) -> Iterable[Hit]:
    """Two methods in one group: nginx warns, and the last one wins."""
    for upstream in ctx.model.all_upstreams:
        methods = [node for node in upstream.methods if node.name in METHODS]
        if len(methods) > 1 and len({node.name for node in methods}) > 1:
            last = methods[-1]
            yield Hit(
                whole(last),
                f'"{last.name}" replaces "{methods[-2].name}" in "{upstream.name}": the last method is used',
                last,
                related=tuple(("without effect", whole(node)) for node in methods[:-1]),
                help="Keep the one you need.",
                make_fix=partial(_only_the_last, methods),
            )


def _only_the_last(methods: list[Directive]) -> Edits:
    """The methods that the last one replaces taken out."""
    made: list[Edit] = []
    for node in methods[:-1]:
        deleted = edits.deletion(node)
        if deleted is None:
            return None
        made.extend(deleted)
    return tuple(made)


def balancing_method_order(ctx: CheckContext) -> Iterable[Hit]:
    """Directives that wrap the method and must stand behind it."""
    for upstream in ctx.model.all_upstreams:
        method = upstream.method_directive
        if method is None or method.name not in METHODS:
            continue
        position = upstream.directive.children.index(method)
        for node in upstream.directive.children[:position]:
            effect = _lost(node, ctx)
            if effect:
                yield Hit(
                    whole(node),
                    f'"{node.name}" comes before "{method.name}", which replaces it: {effect}',
                    node,
                    related=(("the method", whole(method)),),
                    help=f'Put "{node.name}" after "{method.name}".',
                    make_fix=partial(_moved, node, method),
                )


def _moved(node: Directive, method: Directive) -> Fix | None:
    """What wraps the method put after it, within one file.

    Never safe: servers see connections that are used again, clients come back to the same server.
    """
    taken = edits.deletion(node)
    if taken is None or node.source is not method.source or node.via is not method.via:
        return None
    last = node.args[-1].end if node.args else node.name_end
    moved = edits.after(method, f"{node.source.text[node.start : last]};")
    return Fix(f"Put {node.name} after {method.name}", Applicability.UNSAFE, (*taken, moved))


def _lost(node: Directive, ctx: CheckContext) -> str:
    if node.name == "sticky":
        return "sessions are not bound to a server"
    if node.name == "keepalive" and not ctx.target.since(KEEPALIVE_BY_DEFAULT):
        return "every request opens a new connection"
    return {"ntlm": "NTLM authentication breaks", "queue": "requests do not wait"}.get(node.name, "")


def hash_constant_key(ctx: CheckContext) -> Iterable[Hit]:
    """A key that is the same for every request sends everything to one server."""
    for upstream in ctx.model.all_upstreams:
        node = upstream.method_directive
        if node is None or node.name != "hash" or not node.args or len(upstream.live_primaries) < 2:
            continue
        key = node.args[0]
        names = {reference.name for reference in references(key)}
        values = ctx.model.possible_values(key, node, upstream.family) if names else None
        constant = (
            not names or names <= _CONSTANT or (values and values.complete and len(values.constants) == 1)
        )
        if constant:
            yield Hit(
                arg(node, key),
                f'the key "{key}" is the same for every request: all traffic of "{upstream.name}" goes to one server',
                node,
                help="Use a key that varies, such as $request_uri or $remote_addr.",
            )


def ip_hash_behind_proxy(ctx: CheckContext) -> Iterable[Hit]:
    """Spreading by the client's address where nginx sees the address of a proxy."""
    for upstream in ctx.model.upstreams("http"):
        node = upstream.method_directive
        if node is None or len(upstream.live_primaries) < 2 or not _by_client(node):
            continue
        evidence = _front_proxy(ctx, upstream)
        if evidence is None:
            lone = _one_network(ctx, upstream) if node.name == "ip_hash" else None
            if lone is not None:
                yield Hit(
                    whole(node),
                    f'all clients of {lone.args[0]} get the same server of "{upstream.name}" through ip_hash',
                    node,
                    severity=Severity.INFO,
                    related=(("only these clients are allowed", whole(lone)),),
                    help="Use hash $remote_addr, which reads the whole address.",
                    why="ip_hash uses the first three octets of an IPv4 address: all clients of one /24 network get the same server.",
                )
            continue
        hit = Hit(
            whole(node),
            f'"{upstream.name}" hashes the client address, but nginx sees the address of the proxy in front',
            node,
            related=(("proxy shown here", whole(evidence)),),
            help="Restore the client address with set_real_ip_from and real_ip_header.",
        )
        yield unless(ctx.model.is_part("http"), "http restores that of the client", hit)


def _one_network(ctx: CheckContext, upstream: Upstream) -> Directive | None:
    """The rule that allows clients of one network of 256 addresses alone, wherever the upstream is used."""
    found: dict[str, Directive] = {}
    for each in ctx.model.passes_to(upstream):
        access = access_of(ctx.model, each.scope)
        if access.satisfy_any or not access.closed("inet") or not access.closed("inet6"):
            return None
        for rule in access.rules:
            if not rule.allow:
                continue
            if rule.network is None or rule.network.version != 4 or rule.network.prefixlen < 24:
                return None
            found.setdefault(str(rule.network.network_address).rpartition(".")[0], rule.directive)
    return next(iter(found.values())) if len(found) == 1 else None


def _by_client(node: Directive) -> bool:
    return node.name == "ip_hash" or (
        node.name == "hash" and bool(node.args) and node.args[0] in _CLIENT_KEYS
    )


def _front_proxy(ctx: CheckContext, upstream: Upstream) -> Directive | None:
    """A line that shows a proxy in front of a server that uses the group and does not restore addresses."""
    for each in ctx.model.passes_to(upstream):
        server = each.server
        if server is None or ctx.model.effective(each.scope, "set_real_ip_from"):
            continue
        for listen in server.listens:
            if listen.proxy_protocol and listen.directive is not None:
                return listen.directive
        for header in ctx.model.effective(each.scope, "proxy_set_header"):
            if len(header.args) > 1 and any(name in header.args[1].lower() for name in _FORWARDED):
                return header
    return next(
        (node for node in ctx.model.config.named("map") if node.args and node.args[0].lower() in _FORWARDED),
        None,
    )


def duplicate_upstream_server(ctx: CheckContext) -> Iterable[Hit]:
    """The same server twice in one group."""
    for upstream in ctx.model.all_upstreams:
        if len(upstream.peers) < 2:
            continue
        seen: dict[str, Peer] = {}
        for peer in upstream.peers:
            if peer.address is None:
                continue
            first = seen.setdefault(peer.normal_address, peer)
            if first is not peer:
                yield Hit(
                    peer_place(peer),
                    f'{peer.text} is in "{upstream.name}" twice: {_effect(first, peer)}',
                    peer.directive,
                    related=related_peers("first here", [first]),
                    help="Delete one line; use weight to give a server a larger share."
                    if first.backup == peer.backup
                    else "Delete the backup, or write the address of another server.",
                    why=""
                    if first.backup == peer.backup
                    else "When the server fails, its backup has failed as well.",
                    make_fix=partial(_once, first, peer),
                )


def _once(first: Peer, peer: Peer) -> Edits:
    """The second line of one server, when it says exactly what the first one says."""
    same = sorted(map(str, first.directive.args[1:])) == sorted(map(str, peer.directive.args[1:]))
    if not same or first.directive.statement is peer.directive.statement:
        return None
    return edits.deletion(peer.directive)


def _effect(first: Peer, second: Peer) -> str:
    if first.backup != second.backup:
        return "the backup is the same server as the primary"
    return "it gets a double share of the requests"


def weight_without_effect(ctx: CheckContext) -> Iterable[Hit]:
    """A weight on the only server of a group, or the same one on all."""
    for upstream in ctx.model.all_upstreams:
        if upstream.dynamic or not upstream.peers:
            continue
        for peers in (upstream.primaries, upstream.backups):
            weighted = [peer for peer in peers if "weight" in peer.explicit and not peer.invalid]
            if not weighted:
                continue
            alone = len(peers) == 1 and peers[0].is_literal
            equal = (
                len(peers) > 1 and len(weighted) == len(peers) and len({peer.weight for peer in peers}) == 1
            )
            if (alone or equal) and weighted[0].weight > 1:
                parameter = weighted[0].parameter("weight")
                assert parameter is not None
                yield Hit(
                    arg(weighted[0].directive, parameter.token),
                    f'weight={weighted[0].weight} has no effect in "{upstream.name}": '
                    + ("there is no other server" if alone else "all servers have the same"),
                    weighted[0].directive,
                    help="Delete it.",
                )


def slow_start_ignored(ctx: CheckContext) -> Iterable[Hit]:
    """``slow_start`` where nothing slows down."""
    for upstream in ctx.model.all_upstreams:
        slow = [peer for peer in upstream.peers if peer.slow_start]
        if not slow:
            continue
        if upstream.method in ("hash", "ip_hash", "random"):
            reason = f'the method "{upstream.method}" does not support it'
        elif upstream.is_single_peer:
            reason = "it is the only server"
        else:
            continue
        parameter = slow[0].parameter("slow_start")
        assert parameter is not None
        yield Hit(
            arg(slow[0].directive, parameter.token),
            f'slow_start has no effect in "{upstream.name}": {reason}',
            slow[0].directive,
            related=(("the upstream", group_place(upstream)),),
        )


def drain_without_affinity(ctx: CheckContext) -> Iterable[Hit]:
    """``drain`` lets bound sessions finish; without binding it is ``down``."""
    for upstream in ctx.model.upstreams("http"):
        if upstream.live == len(upstream.peers):
            continue
        if upstream.sticky is not None or not upstream.complete or upstream.method in ("hash", "ip_hash"):
            continue
        for peer in upstream.peers:
            if peer.drain:
                yield Hit(
                    peer_place(peer),
                    f'{peer.text} is draining, but "{upstream.name}" has no session persistence: it is simply down',
                    peer.directive,
                    help="Add sticky, or write down.",
                )
