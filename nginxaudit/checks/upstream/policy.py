"""Matters of policy: right for one operator, wrong for the next. Off unless selected."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.upstream.common import group_place, parameter_place, peer_place, related_peers
from nginxaudit.hit import CheckContext, Hit, whole

_CACHES_BY_CLIENT = "memcached"


def single_server_upstream(ctx: CheckContext) -> Iterable[Hit]:
    """A group of one server: nobody stands in for it."""
    for upstream in ctx.model.all_upstreams:
        peers = upstream.peers
        if (
            len(peers) != 1
            or upstream.dynamic
            or not peers[0].is_literal
            or not ctx.model.passes_to(upstream)
        ):
            continue
        address = peers[0].address
        if (
            address is None
            or address.kind == "unix"
            or address.host.startswith("127.")
            or address.host == "::1"
        ):
            continue
        yield Hit(
            group_place(upstream),
            f'"{upstream.name}" has only one server',
            upstream.directive,
            help="Add a second instance, or a backup.",
        )


def upstream_single_host(ctx: CheckContext) -> Iterable[Hit]:
    """All servers of a group on one machine."""
    for upstream in ctx.model.all_upstreams:
        hosts = {peer.address.host if peer.address else peer.text for peer in upstream.peers if peer.is_live}
        if len(upstream.peers) < 2 or len(hosts) != 1 or upstream.dynamic:
            continue
        if any(
            not peer.is_literal or (peer.address and peer.address.kind == "unix") for peer in upstream.peers
        ):
            continue
        yield Hit(
            group_place(upstream),
            f'all servers of "{upstream.name}" are on {hosts.pop()}',
            upstream.directive,
            help="Add a server on another host.",
        )


def backup_only_one_of_many(ctx: CheckContext) -> Iterable[Hit]:
    """One backup for three or more primaries."""
    for upstream in ctx.model.all_upstreams:
        backups, primaries = upstream.live_backups, upstream.live_primaries
        if len(backups) != 1 or len(primaries) < 3 or not upstream.complete:
            continue
        address = backups[0].address
        if (
            address is None
            or address.kind == "unix"
            or address.host.startswith("127.")
            or address.host == "localhost"
        ):
            continue  # a page that says sorry
        yield Hit(
            peer_place(backups[0]),
            f'{backups[0].text} is the only backup for {len(primaries)} servers of "{upstream.name}"',
            backups[0].directive,
            related=related_peers("primary", primaries[:1]),
            help="Make sure that it can handle the whole load.",
        )


def hash_not_consistent(ctx: CheckContext) -> Iterable[Hit]:
    """A hash that sends most keys elsewhere when a server comes or goes."""
    for upstream in ctx.model.all_upstreams:
        node = upstream.method_directive
        if node is None or node.name != "hash" or "consistent" in node.args or len(upstream.primaries) < 3:
            continue
        if any(each.protocol == _CACHES_BY_CLIENT for each in ctx.model.passes_to(upstream)):
            continue  # its clients may count on this very order
        yield Hit(
            whole(node),
            f'most keys move to another server when one of "{upstream.name}" is added or removed',
            node,
            help='Add "consistent"; that moves the keys once.',
        )


def server_left_down(ctx: CheckContext) -> Iterable[Hit]:
    """A server that is marked down without a word why."""
    for upstream in ctx.model.all_upstreams:
        if upstream.method in ("hash", "ip_hash"):
            continue  # the line keeps the mapping
        for peer in upstream.peers:
            explained = ctx.model.comments.trailing(peer.directive) or ctx.model.comments.above(
                peer.directive
            )
            if peer.down and not explained:
                yield Hit(
                    parameter_place(peer, "down"),
                    f'{peer.text} of "{upstream.name}" is marked down without a comment',
                    peer.directive,
                    help="Delete it, or explain it in a comment.",
                )


def stream_upstream_behind_proxy_hash(ctx: CheckContext) -> Iterable[Hit]:
    """Spreading by the address of the load balancer in front."""
    for each in ctx.model.passes:
        upstream = each.upstream
        if each.family != "stream" or upstream is None or each.server is None:
            continue
        node = upstream.method_directive
        if (
            node is None
            or node.name != "hash"
            or not node.args
            or node.args[0] not in ("$remote_addr", "$binary_remote_addr")
        ):
            continue
        listen = next(
            (one.directive for one in each.server.listens if one.proxy_protocol and one.directive), None
        )
        if listen is None or ctx.model.effective(each.scope, "set_real_ip_from"):
            continue
        yield Hit(
            whole(node),
            f'"{upstream.name}" hashes the address of the proxy in front: all connections get the same server',
            node,
            related=(("PROXY protocol here", whole(listen)),),
            help="Use $proxy_protocol_addr, or set_real_ip_from.",
        )
