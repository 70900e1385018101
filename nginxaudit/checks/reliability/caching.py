"""What is kept for everybody: caches of responses, and shared memory that nobody uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from nginxaudit import edits
from nginxaudit.hit import CheckContext, Hit, Place
from nginxaudit.nginx.names import CACHING
from nginxaudit.suggest import clear_match
from nginxaudit.syntax.tree import Directive, Token

_Name: TypeAlias = tuple[str, str]
"""Family and name of a zone."""
_ZONES = {
    # directive that makes a zone, its parameter, directives that use it, whether they name it by zone=
    "limit_req_zone": ("zone=", ("limit_req",), "zone="),
    "limit_conn_zone": ("zone=", ("limit_conn",), ""),
    **{f"{name}_cache_path": ("keys_zone=", (f"{name}_cache",), "") for name in CACHING},
}  # fmt: skip


def unused_zone(ctx: CheckContext) -> Iterable[Hit]:
    """Shared memory for limits and caches that nothing uses."""
    config = ctx.model.config
    if not config.is_whole:
        return
    for name, (parameter, users, prefix) in _ZONES.items():
        made = [(node, zone) for node in config.named(name) for zone in _zone(node, parameter)]
        if not made:
            continue
        used = {
            (ctx.model.family_of(node), token.removeprefix(prefix))
            for user in users
            for node in config.named(user)
            for token in node.args
            if token.startswith(prefix)
        }
        if any("$" in token for _, token in used) or any(map(ctx.model.is_filled_in, _nodes(ctx, users))):
            continue
        declared = [
            (ctx.model.family_of(node), zone.removeprefix(parameter).split(":")[0]) for node, zone in made
        ]
        meant = set(_meant(used.difference(declared), declared))
        for (node, zone), (family, text) in zip(made, declared, strict=True):
            if (family, text) not in used | meant and not ctx.model.is_filled_in(node):
                yield Hit(
                    Place(node.source, zone.start, zone.end, node.via),
                    f"nothing uses the zone {text}: no {users[0]} names it",
                    node,
                    help=f"Write {users[0]} {prefix}{text}; where the limit or cache should apply, or delete the zone.",
                    make_fix=None if ctx.model.takes_more_files else partial(edits.deletion, node),
                )


def _meant(undefined: Iterable[_Name], declared: Sequence[_Name]) -> Iterator[_Name]:
    """Zones whose name is nearly one that is used and not declared: that one is the finding, and nothing is to be deleted."""
    for family, name in undefined:
        found = clear_match(name, [other for own, other in declared if own == family])
        if found is not None:
            yield family, found


def _nodes(ctx: CheckContext, names: Iterable[str]) -> Iterable[Directive]:
    return [node for name in names for node in ctx.model.config.named(name)]


def _zone(node: Directive, parameter: str) -> list[Token]:
    return [token for token in node.args if token.startswith(parameter)][:1]
