"""What is kept for everybody: caches of responses, and shared memory that nobody uses."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Hit, Place, arg, whole
from nginxaudit.model.location import Location
from nginxaudit.model.passes import Pass
from nginxaudit.model.variables import references
from nginxaudit.syntax.tree import Directive, Token

_CACHING = ("proxy", "fastcgi", "uwsgi", "scgi")
_STATIC = (
    "static",
    "asset",
    "media",
    "image",
    "img",
    "css",
    "js",
    "font",
    "dist",
    "public",
    "favicon",
    "thumb",
)
_PERSONAL = (
    "cookie",
    "remote_user",
    "http_authorization",
    "jwt",
    "auth_",
    "sess",
    "user",
    "token",
    "sent_http",
    "upstream_http",
)
_ZONES = {
    # directive that makes a zone, its parameter, directives that use it, whether they name it by zone=
    "limit_req_zone": ("zone=", ("limit_req",), "zone="),
    "limit_conn_zone": ("zone=", ("limit_conn",), ""),
    **{f"{name}_cache_path": ("keys_zone=", (f"{name}_cache",), "") for name in _CACHING},
}  # fmt: skip


def cache_stores_private_responses(ctx: CheckContext) -> Iterable[Hit]:
    """Caches that are told to keep what the backend marks as made for one client."""
    told: set[Directive] = set()
    for each in ctx.model.passes:
        if each.protocol not in _CACHING:
            continue
        cache = ctx.model.value(each.scope, f"{each.protocol}_cache")
        if cache is None or cache == "off" or _goes_by_client(ctx, each):
            continue
        for node in ctx.model.effective(each.scope, f"{each.protocol}_ignore_headers"):
            if node in told:
                continue
            hit = _ignored(ctx, each, node)
            if hit is not None:
                told.add(node)
                yield hit


def _ignored(ctx: CheckContext, each: Pass, node: Directive) -> Hit | None:
    words = {token.lower(): token for token in node.args}
    related = (("responses are cached here", whole(each.directive)),)
    hidden = {
        token.lower()
        for hide in ctx.model.effective(each.scope, f"{each.protocol}_hide_header")
        for token in hide.args
    }
    if "set-cookie" in words and "set-cookie" not in hidden:
        return Hit(
            arg(node, words["set-cookie"]),
            "responses are cached with their Set-Cookie: everybody gets the session of the client that came first",
            node,
            related,
            help=f"Leave Set-Cookie out, or write {each.protocol}_hide_header Set-Cookie; beside it.",
        )
    if "cache-control" in words and not _is_static(ctx.model.location_of(each.scope)):
        return Hit(
            arg(node, words["cache-control"]),
            "responses that the backend marks as private or no-store are cached for everybody",
            node,
            related,
            severity=Severity.INFO,
            confidence=Confidence.LOW,
            help=f"Leave Cache-Control out, or say with {each.protocol}_no_cache what is not to be kept.",
        )
    return None


def _goes_by_client(ctx: CheckContext, each: Pass) -> bool:
    """Whether the key tells clients apart, or something decides what is kept or asked anew."""
    if any(
        ctx.model.effective(each.scope, f"{each.protocol}_{name}") for name in ("no_cache", "cache_bypass")
    ):
        return True
    return any(
        part in reference.name
        for key in ctx.model.effective(each.scope, f"{each.protocol}_cache_key")
        for token in key.args
        for reference in references(token)
        for part in _PERSONAL
    )


def _is_static(location: Location | None) -> bool:
    return location is not None and (
        any(part in location.pattern.lower() for part in _STATIC)
        or (location.is_regex and r"\." in location.pattern)
    )


def unused_zone(ctx: CheckContext) -> Iterable[Hit]:
    """Shared memory for limits and caches that nothing uses."""
    config = ctx.model.config
    if not config.is_whole:
        return
    for name, (parameter, users, prefix) in _ZONES.items():
        made = [(node, zone) for node in config.named(name) for zone in _zone(node, parameter)]
        if not made:
            continue
        used = [
            (ctx.model.family_of(node), token.removeprefix(prefix))
            for user in users
            for node in config.named(user)
            for token in node.args
            if token.startswith(prefix)
        ]
        if any("$" in token for _, token in used) or any(map(ctx.model.is_filled_in, _nodes(ctx, users))):
            continue
        for node, zone in made:
            text = zone.removeprefix(parameter).split(":")[0]
            if (ctx.model.family_of(node), text) not in used and not ctx.model.is_filled_in(node):
                yield Hit(
                    Place(node.source, zone.start, zone.end, node.via),
                    f"nothing uses the zone {text}: no {users[0]} names it",
                    node,
                    help=f"Write {users[0]} {prefix}{text}; where it is meant to hold, or delete the zone.",
                )


def _nodes(ctx: CheckContext, names: Iterable[str]) -> Iterable[Directive]:
    return [node for name in names for node in ctx.model.config.named(name)]


def _zone(node: Directive, parameter: str) -> list[Token]:
    return [token for token in node.args if token.startswith(parameter)][:1]
