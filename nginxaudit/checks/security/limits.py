"""Limits that clients can evade, or that are not set."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model.variables import references
from nginxaudit.nginx import parse_size

_KEYS = ("api_key", "apikey", "authorization", "x_api", "token")


def rate_limit_key_spoofable(ctx: CheckContext) -> Iterable[Hit]:
    """A limit per something that clients make up anew for every request."""
    for name in ("limit_req_zone", "limit_conn_zone"):
        for node in ctx.model.config.named(name):
            if not node.args or ctx.model.family_of(node) != "http":
                continue
            key = node.args[0]
            names = {reference.name for reference in references(key)}
            if names & {"binary_remote_addr", "remote_addr", "remote_user", "jwt_claim_sub"}:
                continue
            origin = next(
                (
                    each
                    for each in ctx.model.taint.origins(key, node)
                    if each.kind == "free" and not any(word in each.variable for word in _KEYS)
                ),
                None,
            )
            if origin is not None:
                yield Hit(
                    arg(node, key),
                    f"clients choose {origin.variable}: with another value in every request nobody reaches the limit",
                    node,
                    help="Use $binary_remote_addr, with set_real_ip_from where a proxy stands before nginx.",
                )


def client_max_body_size_unlimited(ctx: CheckContext) -> Iterable[Hit]:
    """Uploads without a limit."""
    for node in ctx.model.config.named("client_max_body_size"):
        if node.args and node.context in ("http", "server", "location"):
            try:
                size = parse_size(node.args[0])
            except ValueError:
                continue
            if size == 0:
                yield Hit(
                    whole(node),
                    "any client may send as much as it likes: nginx keeps it on disk until the backend has it",
                    node,
                    severity=Severity.INFO if node.context == "location" else None,
                    help="Set a limit, and lift it in the locations for uploads.",
                )
