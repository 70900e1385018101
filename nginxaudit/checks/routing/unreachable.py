"""Locations that no request gets to.

nginx takes an exact location at once; else it remembers the longest prefix, and unless that one has ``^~``
tries the expressions in their order (``ngx_http_core_find_location``, src/http/ngx_http_core_module.c).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, name_of, whole
from nginxaudit.model.location import Location
from nginxaudit.nginx.names import NAMING
from nginxaudit.pcre import Expression


def unreachable_location(ctx: CheckContext) -> Iterable[Hit]:
    """What stands behind, or under, something that takes all its requests."""
    for server in ctx.model.servers("http"):
        if server.directive is ctx.model.config.top or not ctx.model.unknown_inside(server.directive):
            yield from _level(ctx, server.locations)
    for location in ctx.model.locations:
        if location.children and not ctx.model.unknown_inside(location.directive):
            yield from _level(ctx, location.children)
    yield from _unnamed(ctx)


def _level(ctx: CheckContext, locations: Sequence[Location]) -> Iterator[Hit]:
    """Locations of one block."""
    read = [(each, each.expression) for each in locations if each.is_regex]
    if not read:
        return
    prefixes = [each for each in locations if each.is_prefix]
    covers = _Covers(read)
    seen: set[tuple[str, str]] = set()
    for order, (location, expression) in enumerate(read):
        key = (location.modifier, location.pattern)
        earlier = covers.earlier(expression, order)
        if earlier is not None and key not in seen:
            yield _dead(ctx, location, earlier, "an earlier regex matches all its requests")
        seen.add(key)
    shields = {each.pattern: each for each in prefixes if each.modifier == "^~"}
    if shields:
        yield from _shielded(ctx, read, prefixes, shields)
    for location in prefixes:
        if location.modifier or location.children:
            continue  # ^~ keeps expressions away; inner locations are looked for first
        taker = covers.taker(location.pattern)
        if taker is not None:
            yield _dead(ctx, location, taker, "a regex location matches all its requests")


class _Covers:
    """By a beginning of paths: the first expression that takes all of them, and its place in the order."""

    def __init__(self, read: list[tuple[Location, Expression | None]]) -> None:
        self._first: dict[str, tuple[int, Location]] = {}
        for order, (location, expression) in enumerate(read):
            if expression is not None and expression.covered is not None:
                self._first.setdefault(expression.covered, (order, location))
        self._lengths = sorted(set(map(len, self._first)))

    def _of(self, path: str) -> Iterator[tuple[int, Location]]:
        """What takes all that begins with ``path``, shortest beginnings first."""
        beginnings = (path[:length] for length in self._lengths if length <= len(path))
        return (self._first[text] for text in beginnings if text in self._first)

    def taker(self, path: str) -> Location | None:
        """An expression that takes all that begins with ``path``."""
        return next((location for _, location in self._of(path)), None)

    def earlier(self, expression: Expression | None, order: int) -> Location | None:
        """An expression before this one that takes all that this one matches."""
        if order == 0:
            return None
        path = (expression.prefix if expression is not None else "") or "/"
        return next((location for before, location in self._of(path) if before < order), None)


def _beginnings(text: str) -> list[str]:
    return [text[:length] for length in range(1, len(text) + 1)]


def _shielded(
    ctx: CheckContext,
    read: list[tuple[Location, Expression | None]],
    prefixes: list[Location],
    shields: dict[str, Location],
) -> Iterator[Hit]:
    """Expressions all of whose paths have a longest prefix with ``^~``."""
    open_ones = [each.pattern for each in prefixes if each.modifier != "^~"]
    for location, expression in read:
        text = (expression.prefix if expression is not None else "") or "/"
        shield = next((each for each in reversed(_beginnings(text)) if each in shields), None)
        if shield is None:
            continue
        reached = any(
            len(each) > len(shield) and (each.startswith(text) or text.startswith(each)) for each in open_ones
        )
        if not reached:
            yield _dead(
                ctx, location, shields[shield], "a ^~ location handles all its paths without checking regexes"
            )


def _dead(ctx: CheckContext, location: Location, taker: Location, why: str) -> Hit:
    from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

    return Hit(
        name_of(location.directive),
        f'"{location.label}" is unreachable: {why}',
        location.directive,
        related=((f'"{taker.label}"', whole(taker.directive)),),
        help="Delete it, or change the order or the modifier.",
        witness=detours.taken(ctx, location, taker),
    )


def _unnamed(ctx: CheckContext) -> Iterator[Hit]:
    """Named locations that no directive names, where no backend can either, with ``X-Accel-Redirect``."""
    named = [each for each in ctx.model.locations if each.is_named]
    if named:
        asked = {each.server for each in ctx.model.passes}
        named = [each for each in named if each.server not in asked]
    if not named or ctx.model.unread_files("http") or ctx.model.variables("http").code:
        return
    used = {token for name in NAMING for node in ctx.model.config.named(name) for token in node.args}
    if all(each.pattern in used for each in named):
        return
    used = {
        token
        for node in ctx.model.config.top.walk()
        if node.name != "location"
        for token in node.args
        if "@" in token
    }
    for location in named:
        if not any(location.pattern in token for token in used):
            yield Hit(
                name_of(location.directive),
                f'"{location.label}" is never used: no directive refers to it',
                location.directive,
                severity=Severity.INFO,
                help="Delete it, or refer to it in try_files or error_page.",
            )
