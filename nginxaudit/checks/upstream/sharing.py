"""What workers share, and whether connections to servers are used again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit.checks.upstream.common import group_place, parameter_place
from nginxaudit.hit import CheckContext, Hit
from nginxaudit.load.upstream_zone import zone_of
from nginxaudit.model import Model


def workers(model: Model) -> int | None:
    """Number of workers: 1 by default, None for ``auto``, 1 where the main file is not known."""
    nodes = model.config.named("worker_processes")
    if not nodes or not nodes[0].args:
        return 1
    value = nodes[0].args[0]
    return int(value) if value.isdigit() else None


def upstream_without_zone(ctx: CheckContext) -> Iterable[Hit]:
    """Several workers, each with its own idea of who is alive."""
    if workers(ctx.model) == 1:
        return
    for upstream in ctx.model.all_upstreams:
        live = len(upstream.live_primaries) + len(upstream.live_backups)
        if live < 2 or upstream.zone is not None or upstream.external or not upstream.complete:
            continue
        if upstream.method in ("hash", "ip_hash", "unknown") or any(
            peer.max_conns for peer in upstream.peers
        ):
            continue
        if not ctx.model.passes_to(upstream):
            continue
        yield Hit(
            group_place(upstream),
            f'"{upstream.name}" has no zone: each worker counts failures and connections separately',
            upstream.directive,
            help=f"Add zone {upstream.name} 64k; to the upstream.",
            make_fix=partial(zone_of, upstream, ctx.model),
        )


def max_conns_without_zone(ctx: CheckContext) -> Iterable[Hit]:
    """A limit that every worker applies on its own."""
    count = workers(ctx.model)
    if count == 1:
        return
    for upstream in ctx.model.all_upstreams:
        limited = [peer for peer in upstream.peers if peer.max_conns]
        if not limited or upstream.zone is not None or not upstream.complete:
            continue
        peer = limited[0]
        total = f": {count} workers allow {count * peer.max_conns}" if count else ""
        yield Hit(
            parameter_place(peer, "max_conns"),
            f"max_conns={peer.max_conns} of {peer.text} is counted per worker{total}",
            peer.directive,
            related=(("the upstream", group_place(upstream)),),
            help=f"Add zone {upstream.name} 64k; to the upstream.",
            make_fix=partial(zone_of, upstream, ctx.model),
        )
