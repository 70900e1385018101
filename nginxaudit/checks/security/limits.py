"""Limits that clients can evade, or that are not set."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.nginx import parse_size
from nginxaudit.syntax.tree import Directive

_KEYS = ("api_key", "apikey", "authorization", "x_api", "token")


def rate_limit_key_spoofable(ctx: CheckContext) -> Iterable[Hit]:
    """A limit per something that clients make up anew for every request."""
    for name in ("limit_req_zone", "limit_conn_zone"):
        for node in ctx.model.config.named(name):
            if not node.args or ctx.model.family_of(node) != "http":
                continue
            key = node.args[0]
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
        if not node.args or node.context not in ("http", "server", "location"):
            continue
        try:
            size = parse_size(node.args[0])
        except ValueError:
            continue
        if size:
            continue
        passes = ctx.once(_passes_by_limit).get(node, ())
        streamed = bool(passes) and all(_passes_on(ctx.model, each) for each in passes)
        kept = node.context != "location" and any(_surely_keeps(ctx.model, each) for each in passes)
        where = (
            "the backend gets it as it arrives"
            if streamed
            else "nginx keeps it on disk until the backend has it"
        )
        yield Hit(
            whole(node),
            f"any client may send as much as it likes: {where}",
            node,
            severity=Severity.WARNING if kept else None,
            help="Set a limit, unless the backend has one."
            if streamed
            else "Set a limit, and lift it in the locations for uploads.",
        )


def _passes_by_limit(model: Model) -> dict[Directive, list[Pass]]:
    """Passes of http by the ``client_max_body_size`` in effect for them."""
    found: dict[Directive, list[Pass]] = {}
    for each in model.passes:
        for node in model.effective(each.scope, "client_max_body_size")[:1]:
            found.setdefault(node, []).append(each)
    return found


def _surely_keeps(model: Model, each: Pass) -> bool:
    """Whether nginx keeps the request until it has all of it, whatever is written elsewhere."""
    return not _passes_on(model, each) and not model.may_be_set(
        each.scope, f"{each.protocol}_request_buffering"
    )


def _passes_on(model: Model, each: Pass) -> bool:
    """Whether nginx sends a request on while it arrives; grpc and tunnels always do."""
    return (
        each.protocol in ("grpc", "tunnel")
        or model.flag(each.scope, f"{each.protocol}_request_buffering", True) is False
    )
