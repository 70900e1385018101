"""Caches that hand the response of one client to another."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.model.passes import Pass
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


_REDIRECTS = ("error_page", "try_files", "rewrite", "index")
_SUBREQUESTS = ("auth_jwt_key_request", "mirror")

_IDENTITIES = frozenset(
    {"remote_user", "http_authorization", "ssl_client_s_dn", "ssl_client_fingerprint", "ssl_client_serial"}
)


def cache_stores_private_responses(ctx: CheckContext) -> Iterable[Hit]:
    """Caches that store what the backend marks as made for one client."""
    reported: set[Directive] = set()
    for each in ctx.model.passes:
        if each.protocol not in CACHING:
            continue
        cache = ctx.model.value(each.scope, f"{each.protocol}_cache")
        if cache is None or cache == "off" or goes_by_client(ctx, each) or _answers_nginx(ctx.model, each):
            continue
        for node in ctx.model.effective(each.scope, f"{each.protocol}_ignore_headers"):
            if node in reported:
                continue
            hit = _ignored(ctx, each, node)
            if hit is not None:
                reported.add(node)
                yield hit
        for node in ctx.model.effective(each.scope, f"{each.protocol}_set_header"):
            if node not in reported and _names_client(ctx.model, node):
                reported.add(node)
                yield Hit(
                    whole(node),
                    f"{node.args[0]} identifies the user to the backend, but the cache key does not contain it",
                    node,
                    (("responses are cached here", whole(each.directive)),),
                    help=f"Add {node.args[1]} to {each.protocol}_no_cache and {each.protocol}_cache_bypass, or to the cache key.",
                    why="nginx sends the stored response of one user to every other user who requests the same URL.",
                )


def _answers_nginx(model: Model, each: Pass) -> bool:
    """Whether the responses are read by nginx itself, in a subrequest: no client sees their headers."""
    location = each.location
    if location is None or location.is_regex or location.directive.first("internal") is None:
        return False
    if any(
        location.pattern in map(str, node.args) for name in _REDIRECTS for node in model.config.named(name)
    ):
        return False
    # A backend's X-Accel-Redirect goes to a prefix: one path is for auth_jwt_key_request and scripts.
    return location.is_exact or any(
        str(node.args[0]).partition("?")[0] == location.pattern
        for name in _SUBREQUESTS
        for node in model.config.named(name)
        if node.args
    )


def _names_client(model: Model, node: Directive) -> bool:
    """Whether a header sent to the backend names the client or contains its password."""
    if len(node.args) < 2:
        return False
    names = {reference.name for reference in references(node.args[1])}
    if any(origin.variable == "$http_authorization" for origin in model.taint.origins(node.args[1], node)):
        return True
    defined = model.variable_definitions("http")
    return any(
        name in _IDENTITIES or any(each.name == "auth_request_set" for each in defined.get(name, ()))
        for name in names
    )


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
            "responses are cached with Set-Cookie: clients receive the session cookie of another client",
            node,
            related,
            help=f"Remove Set-Cookie here, or add {each.protocol}_hide_header Set-Cookie;",
        )
    other = _application(ctx, each) if "cache-control" in words else None
    if other is not None:
        return Hit(
            arg(node, words["cache-control"]),
            "web cache deception: /account/x.css can return a private page, which is cached as a static file",
            node,
            (*related, ("the same backend answers here", whole(other.directive))),
            severity=Severity.INFO,
            help="Remove Cache-Control here, or cache only below a directory that holds static files.",
            why="An attacker sends a logged-in user such a link and then gets that user's page from the cache.",
        )
    if "cache-control" in words and not is_static(ctx.model.location_of(each.scope)):
        return Hit(
            arg(node, words["cache-control"]),
            "responses that the backend marks private or no-store are cached for all clients",
            node,
            related,
            severity=Severity.INFO,
            confidence=Confidence.LOW,
            help=f"Remove Cache-Control here, or exclude private responses with {each.protocol}_no_cache.",
        )
    return None


def _application(ctx: CheckContext, each: Pass) -> Pass | None:
    """Where pages of the backend of a location by file extension are made for clients, without a cache."""
    location = each.location
    if location is None or each.server is None or not location.is_regex or r"\." not in location.pattern:
        return None
    expression = location.expression
    if expression is None or expression.starts_anchored or location.parent is not None:
        return None
    return next(
        (
            other
            for other in ctx.model.passes
            if other.server is each.server
            and other.location is not None
            and other.location.is_prefix
            and other.target == each.target
            and ctx.model.value(other.scope, f"{other.protocol}_cache") in (None, "off")
        ),
        None,
    )


def goes_by_client(ctx: CheckContext, each: Pass) -> bool:
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


def is_static(location: Location | None) -> bool:
    """Whether a location is named as one of static files."""
    return location is not None and (
        any(part in location.pattern.lower() for part in _STATIC)
        or (location.is_regex and r"\." in location.pattern)
    )
