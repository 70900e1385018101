"""Which servers a group has, and in which role."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.upstream.common import group_place, outage, parameter_place, related_peers
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, listed, whole
from nginxaudit.model import Model
from nginxaudit.model.upstream import WITHOUT_BACKUP, Upstream
from nginxaudit.nginx import Availability, facts_of

_ACCEPTED = (
    "nginx accepts the line because the method comes later. The method ignores backup servers: they get requests only "
    "after the method has found no other server."
)


def backup_not_supported(ctx: CheckContext) -> Iterable[Hit]:
    """``backup`` in a group whose method does not support it. The outcome depends on the order."""
    for upstream in ctx.model.all_upstreams:
        if not upstream.backups or not upstream.methods:
            continue
        position = {child: number for number, child in enumerate(upstream.directive.children)}
        for peer in upstream.backups:
            # nginx judges a line by the method read so far, and balances by the last one.
            before = [each for each in upstream.methods if position[each] < position[peer.directive]]
            refused = bool(before) and before[-1].name in WITHOUT_BACKUP
            method = before[-1] if refused else upstream.methods[-1]
            if method.name not in WITHOUT_BACKUP:
                continue
            outcome = "nginx refuses to start" if refused else "it is used only when the method gives up"
            yield Hit(
                parameter_place(peer, "backup"),
                f'"{method.name}" does not support backup servers: {outcome}',
                peer.directive,
                related=(("the balancing method", whole(method)),),
                severity=None if refused else Severity.WARNING,
                rejected=refused,
                why="" if refused else _ACCEPTED,
            )


def all_servers_backup(ctx: CheckContext) -> Iterable[Hit]:
    """No primary at all: "no servers in upstream"."""
    for upstream in ctx.model.all_upstreams:
        if upstream.peers and not upstream.primaries and upstream.complete and upstream.state is None:
            yield Hit(
                group_place(upstream),
                f'every server of "{upstream.name}" is a backup',
                upstream.directive,
                related=related_peers("a backup", upstream.peers[:4]),
            )


def all_servers_down(ctx: CheckContext) -> Iterable[Hit]:
    """No server that takes requests, or only backups left."""
    for upstream in ctx.model.all_upstreams:
        if upstream.live_primaries or not upstream.primaries or upstream.external or not upstream.complete:
            continue
        if not all(peer.down for peer in upstream.primaries):
            continue
        if upstream.live_backups:
            names = listed([peer.text for peer in upstream.live_backups])
            yield Hit(
                group_place(upstream),
                f'every primary server of "{upstream.name}" is marked down: the backups serve all ({names})',
                upstream.directive,
                related=related_peers("marked down", upstream.primaries),
                severity=Severity.INFO,
                why="When the backups fail, no other server is left.",
            )
        elif ctx.model.passes_to(upstream):
            yield Hit(
                group_place(upstream),
                f'every server of "{upstream.name}" is marked down: {outage(upstream)}',
                upstream.directive,
                related=related_peers("marked down", upstream.peers),
            )


def duplicate_upstream(ctx: CheckContext) -> Iterable[Hit]:
    """Two groups of one name, compared without case, in http or in stream."""
    first: dict[tuple[str, str], Upstream] = {}
    for upstream in ctx.model.all_upstreams:
        known = first.setdefault((upstream.family, upstream.key), upstream)
        if known is not upstream:
            yield Hit(
                group_place(upstream),
                f'the upstream "{upstream.name}" is defined twice in {upstream.family}',
                upstream.directive,
                related=(("first defined here", group_place(known)),),
            )


def _is_for_plus(model: Model) -> bool:
    """Whether the configuration has directives of NGINX Plus."""
    names = {node.name for node in model.config.top.walk()}
    target = model.target
    return any(
        facts and all(fact.available(target) is Availability.PLUS_ONLY for fact in facts)
        for facts in (facts_of(name, target) for name in names)
    )


def empty_upstream(ctx: CheckContext) -> Iterable[Hit]:
    """A group without a server: "no servers are inside upstream". NGINX Plus may fill it through its API."""
    for upstream in ctx.model.all_upstreams:
        if upstream.zone is not None and (ctx.target.edition == "plus" or ctx.once(_is_for_plus)):
            continue  # its servers come and go at run time
        if (
            not upstream.peers
            and upstream.complete
            and not upstream.external
            and not ctx.model.target.modules
        ):
            yield Hit(
                group_place(upstream), f'the upstream "{upstream.name}" has no server', upstream.directive
            )
