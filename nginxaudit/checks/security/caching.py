"""Caches that hand the response of one client to another."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model.location import Location
from nginxaudit.model.passes import Pass
from nginxaudit.model.server import Server
from nginxaudit.model.variables import references
from nginxaudit.nginx.names import CACHING
from nginxaudit.syntax.tree import Directive

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


def cache_stores_private_responses(ctx: CheckContext) -> Iterable[Hit]:
    """Caches that are told to keep what the backend marks as made for one client."""
    told: set[Directive] = set()
    for each in ctx.model.passes:
        if each.protocol not in CACHING:
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


def cache_key_missing_host(ctx: CheckContext) -> Iterable[Hit]:
    """One cache for several sites, whose key does not tell them apart."""
    zones: dict[str, list[tuple[Directive, Server]]] = {}
    for each in ctx.model.passes:
        if each.server is None or each.protocol not in CACHING:
            continue
        zone = ctx.model.value(each.scope, f"{each.protocol}_cache")
        if zone is not None and zone != "off" and "$" not in zone:
            zones.setdefault(f"{each.protocol} {zone}", []).append((each.scope, each.server))
    told: set[Directive] = set()
    for label, uses in zones.items():
        protocol = label.partition(" ")[0]
        if len({server for _, server in uses}) < 2 and all(len(server.names) < 2 for _, server in uses):
            continue
        for scope, _ in uses:
            key = next(iter(ctx.model.effective(scope, f"{protocol}_cache_key")), None)
            if key is None or not key.args or key in told or _tells_host(key.args[0]):
                continue
            told.add(key)
            yield Hit(
                whole(key),
                "the key does not contain the host: a page of one site is served for another one",
                key,
                related=(("the cache is used here", whole(scope)),),
                help="Put $scheme$host before $request_uri in the key.",
            )


def _tells_host(key: str) -> bool:
    names = {reference.name for reference in references(key)}
    plain = {
        "scheme",
        "request_uri",
        "uri",
        "document_uri",
        "args",
        "is_args",
        "query_string",
        "request_method",
        "http_range",
        "slice_range",
    }
    # A variable of one's own may contain the host.
    return bool(names & {"host", "http_host", "server_name", "proxy_host"}) or not names <= plain
