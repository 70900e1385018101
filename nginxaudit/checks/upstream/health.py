"""Active health checks of NGINX Plus. Without Plus `health-check-requires-plus` says all there is to say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.checks.base import CheckContext, Hit, name_of, whole
from nginxaudit.model.passes import Pass
from nginxaudit.syntax.tree import Directive

_CONTENT = ("return", "root", "alias", "empty_gif", "stub_status")


def _checked(ctx: CheckContext) -> Iterator[tuple[Directive, Pass | None]]:
    """Every ``health_check`` with the pass directive of its own block."""
    if ctx.model.target.edition != "plus":
        return
    by_scope = {each.scope: each for each in ctx.model.passes}
    for node in ctx.model.config.named("health_check"):
        if node.context in ("location", "stream-server") and node.parent is not None:
            yield node, by_scope.get(node.parent)


def health_check_without_zone(ctx: CheckContext) -> Iterable[Hit]:
    """Plus keeps the state of active checks in shared memory and refuses a group without it."""
    for node, each in _checked(ctx):
        upstream = each.upstream if each else None
        if upstream is None or upstream.zone is not None or not upstream.complete:
            continue
        yield Hit(
            whole(node),
            f'health_check needs shared memory, and the upstream "{upstream.name}" has no zone: '
            "NGINX Plus refuses to start",
            node,
            related=(("this group has no zone", whole(upstream.directive)),),
            help=f'Add "zone {upstream.name} 64k;" to the upstream.',
        )


def health_check_without_upstream(ctx: CheckContext) -> Iterable[Hit]:
    """A check that can follow no pass directive to a group of servers."""
    for node, each in _checked(ctx):
        assert node.parent is not None
        if each is None:
            if ctx.model.unknown_inside(node.parent, direct=True):
                continue
            content = next((name for name in _CONTENT if node.parent.first(name)), None)
            reason = (
                f'the block answers with "{content}"' if content else "nothing is passed on from this block"
            )
            yield Hit(name_of(node), f"health_check has no servers to check: {reason}", node)
        elif each.upstream is None and each.target_kind != "invalid":
            what = (
                "a target with variables"
                if each.target_kind == "variable"
                else f"the single address {each.host}"
                if each.host
                else "no named group"
            )
            yield Hit(
                name_of(node),
                f"health_check works on named upstream groups only; requests are passed to {what}",
                node,
                related=(("passed on here", whole(each.directive)),),
                help="Define an upstream with a zone, and pass to its name.",
            )
