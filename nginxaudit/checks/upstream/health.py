"""Active health checks of NGINX Plus. Without Plus `health-check-requires-plus` says all there is to say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit.hit import CheckContext, Hit, arg, name_of, whole
from nginxaudit.load.upstream_zone import zone_of
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
            f'health_check requires a zone in the upstream "{upstream.name}"',
            node,
            related=(("this upstream has no zone", whole(upstream.directive)),),
            help=f'Add "zone {upstream.name} 64k;" to the upstream.',
            make_fix=partial(zone_of, upstream, ctx.model),
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
            if each.target_kind == "hostname" and ctx.model.is_part(each.family):
                continue  # the group may be defined elsewhere
            what = (
                "a target with variables"
                if each.target_kind == "variable"
                else f"the single address {each.host}"
                if each.host
                else "no named group"
            )
            yield Hit(
                name_of(node),
                f"health_check works only with upstreams; requests are passed to {what}",
                node,
                related=(("used here", whole(each.directive)),),
                help="Define an upstream with a zone, and pass to its name.",
            )


def health_check_undefined_match(ctx: CheckContext) -> Iterable[Hit]:
    """``match=name`` without a ``match`` block of that name in the same module."""
    model = ctx.model
    defined: dict[str, set[str]] = {"http": set(), "stream": set()}
    for block in model.config.named("match"):
        if block.is_block and block.args and model.family_of(block) in defined:
            defined[model.family_of(block)].add(str(block.args[0]))
    for node, _ in _checked(ctx):
        family = model.family_of(node)
        for token in node.args:
            name = token.removeprefix("match=")
            if token.startswith("match=") and name not in defined[family] and not model.unread_files(family):
                yield Hit(
                    arg(node, token),
                    f'there is no match block "{name}" in {family}: NGINX Plus refuses to start',
                    node,
                    help="Define it, or correct the name.",
                )


def duplicate_health_check(ctx: CheckContext) -> Iterable[Hit]:
    """One group probed in the same way from several locations."""
    seen: dict[tuple[object, ...], Directive] = {}
    for node, each in _checked(ctx):
        if each is None or each.upstream is None:
            continue
        settings = {token.partition("=")[0]: token for token in node.args}
        key = (each.upstream, *(str(settings.get(name, "")) for name in ("uri", "port", "match", "type")))
        first = seen.setdefault(key, node)
        if first is not node:
            yield Hit(
                whole(node),
                f'"{each.upstream.name}" has the same health check twice: every server gets the probes of both',
                node,
                related=(("first here", whole(first)),),
                help="Keep one health_check per upstream, for example in a separate internal location.",
            )
