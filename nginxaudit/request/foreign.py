"""Directives of modules that are not known: what they do is not guessed.

A few that only add to answers, compress or count are known by name; code that changes headers is named.
"""

from __future__ import annotations

from nginxaudit.model import Model
from nginxaudit.nginx import directives
from nginxaudit.nginx.names import LUA
from nginxaudit.request.flight import Flight, Lost
from nginxaudit.syntax.tree import Directive

_HARMLESS = (
    "brotli", "modsecurity", "auth_pam", "auth_ldap", "auth_gss", "auth_digest", "akita", "auth_jwt", "vhost_traffic_status", "pagespeed", "fancyindex", "subs_filter", "zstd", "lua_", "opentelemetry", "opentracing",
    "otel_", "more_", "geoip2", "headers_more", "unzstd", "image_filter", "concat", "footer", "trim", "jaeger", "zipkin", "datadog",
)  # fmt: skip
"""Beginnings of names: they change nothing about where a request goes."""
_HEADERS = (
    "more_set_headers",
    "more_clear_headers",
    "js_header_filter",
    *[f"header_filter{kind}" for kind in LUA],
)


def foreign(flight: Flight, block: Directive) -> None:
    """End the walk at a directive of an unknown module in the server or the location; outside of them name it."""
    known: dict[Directive, Directive] = flight.model.once(_unknown)
    if not known:
        return
    at: Directive | None = block
    while at is not None:
        node = known.get(at)
        if node is not None and at.inner in ("http", "main", None):
            flight.note("unknown", node, node.name, "the module is not known: it may change what happens")
        elif node is not None:
            raise Lost(f"the module of {node.name} is not known: it may decide", node)
        at = at.parent


def changed_headers(flight: Flight, block: Directive) -> None:
    """Name what may change the headers of the answer."""
    for name in flight.model.written(_HEADERS):
        for node in flight.model.effective(block, name):
            flight.note("headers", node, name, "it may change the headers of the answer")


def _unknown(model: Model) -> dict[Directive, Directive]:
    """The first directive of an unknown module in each block of http that has one."""
    found: dict[Directive, Directive] = {}
    for name in model.config.names:
        if directives(name) or name.startswith(_HARMLESS):
            continue
        for node in model.config.named(name):
            block = node.parent
            if block is None or node.context not in _CONTEXTS:
                continue
            other = found.get(block)
            if other is None or block.children.index(node) < block.children.index(other):
                found[block] = node
    return found


_CONTEXTS = frozenset({"http", "server", "location", "if-in-server", "if-in-location", "limit_except"})
