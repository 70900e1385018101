"""Which context a block opens, and to which of nginx's worlds a context belongs."""

from __future__ import annotations

from functools import cache

PSEUDO_CONTEXTS = frozenset(
    {
        "map-block",
        "geo-block",
        "types-block",
        "charset_map-block",
        "split_clients-block",
        "num_map-block",
        "match-block",
    }
)
"""Blocks with a grammar of their own: the first words inside are data, not directives."""

_BLOCKS = {
    ("main", "events"): "events",
    ("main", "http"): "http",
    ("main", "stream"): "stream",
    ("main", "mail"): "mail",
    ("main", "mgmt"): "mgmt",
    ("http", "server"): "server",
    ("http", "upstream"): "upstream",
    ("http", "oidc_provider"): "oidc_provider",
    ("http", "acme_issuer"): "acme_issuer",
    ("http", "otel_exporter"): "otel_exporter",
    ("server", "location"): "location",
    ("location", "location"): "location",
    ("server", "if"): "if-in-server",
    ("location", "if"): "if-in-location",
    ("location", "limit_except"): "limit_except",
    ("stream", "server"): "stream-server",
    ("stream", "upstream"): "stream-upstream",
    ("mail", "server"): "mail-server",
}
_DATA = {context.removesuffix("-block"): context for context in PSEUDO_CONTEXTS}
DATA_BLOCKS = frozenset(_DATA)
"""Names of the blocks that open one of them."""
_HTTP = frozenset(
    {"http", "server", "location", "if-in-server", "if-in-location", "limit_except", "upstream"}
)


def inner_context(context: str, name: str) -> str:
    """Context that the block ``name`` opens in ``context``; ``unknown`` when nobody knows it."""
    inner = _BLOCKS.get((context, name))
    if inner is None and context in ("http", "stream", "server", "location"):
        inner = _DATA.get(name)
    return inner or "unknown"


@cache
def contexts() -> frozenset[str]:
    """All contexts in which a directive can stand."""
    return frozenset({"main", *_BLOCKS.values(), *PSEUDO_CONTEXTS})


@cache
def context_family(context: str) -> str:
    """``http``, ``stream``, ``mail``, or ``main`` for everything else."""
    if context in _HTTP:
        return "http"
    for family in ("stream", "mail"):
        if context.startswith(family):
            return family
    return "main"
