"""Cache keys that do not contain what the response depends on."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.security.caching import goes_by_client, is_static
from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.server import Server
from nginxaudit.model.variables import references
from nginxaudit.nginx.names import CACHING
from nginxaudit.syntax.tree import Directive

_PATHS = frozenset({"uri", "document_uri"})
_PLAIN = frozenset(
    {
        *_PATHS, "scheme", "https", "host", "http_host", "server_name", "proxy_host", "server_port", "proxy_port", "request_method",
        "http_accept_encoding", "http_range", "slice_range", "is_args", "server_addr",
    }
)  # fmt: skip
"""Variables that surely have no arguments in them."""


def cache_key_missing_request(ctx: CheckContext) -> Iterable[Hit]:
    """Keys without the arguments or the body that the backend gets."""
    reported: set[Directive] = set()
    for each in ctx.model.passes:
        if each.protocol not in CACHING or goes_by_client(ctx, each):
            continue
        cache = ctx.model.value(each.scope, f"{each.protocol}_cache")
        if cache is None or cache == "off":
            continue
        for hit in (_without_arguments(ctx.model, each), _without_body(ctx.model, each)):
            if hit is not None and hit.node is not None and hit.node not in reported:
                reported.add(hit.node)
                yield hit


def _without_arguments(model: Model, each: Pass) -> Hit | None:
    key = next(iter(model.effective(each.scope, f"{each.protocol}_cache_key")), None)
    if key is None or not key.args or is_static(each.location) or _drops_arguments(model, each):
        return None
    names = {reference.name for reference in references(key.args[0])}
    if not names & _PATHS or not names <= _PLAIN:
        return None
    return Hit(
        whole(key),
        "the cache key lacks the arguments: /page?id=2 gets the response stored for /page?id=1",
        key,
        (("responses are cached here", whole(each.directive)),),
        help="Use $request_uri in the key, or add $is_args$args.",
    )


def _drops_arguments(model: Model, each: Pass) -> bool:
    """Whether the backend may not get the arguments, which then cannot matter."""
    token = str(each.directive.args[0])
    names = {reference.name for reference in references(token)}
    if names and ("/" in token.partition("://")[2] or names & _PATHS or each.target_kind == "variable"):
        return True
    for name in ("set", "rewrite"):
        for node in model.config.named(name):
            if model.server_of(node) is each.server and len(node.args) > 1 and _changes_arguments(node):
                return True
    return False


def _changes_arguments(node: Directive) -> bool:
    if node.name == "set":
        return node.args[0].lower() in ("$args", "$query_string")
    return node.args[1].endswith("?")


def _without_body(model: Model, each: Pass) -> Hit | None:
    methods = next(iter(model.effective(each.scope, f"{each.protocol}_cache_methods")), None)
    if methods is None or "POST" not in [token.upper() for token in methods.args]:
        return None
    key = next(iter(model.effective(each.scope, f"{each.protocol}_cache_key")), None)
    names = {
        reference.name for token in (key.args if key is not None else ()) for reference in references(token)
    }
    if not names <= _PLAIN | {"request_uri", "args", "query_string", "request"}:
        return None
    return Hit(
        whole(methods),
        "POST is cached but the key lacks the body: clients get the response to another client's data",
        methods,
        (("responses are cached here", whole(each.directive)),),
        help="Add $request_body to the key, or remove POST.",
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
    reported: set[Directive] = set()
    for label, uses in zones.items():
        protocol = label.partition(" ")[0]
        if len({server for _, server in uses}) < 2 and all(len(server.names) < 2 for _, server in uses):
            continue
        for scope, _ in uses:
            key = next(iter(ctx.model.effective(scope, f"{protocol}_cache_key")), None)
            if key is None or not key.args or key in reported or _tells_host(key.args[0]):
                continue
            reported.add(key)
            yield Hit(
                whole(key),
                "the cache key lacks the host: a page of one site is served for another",
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
