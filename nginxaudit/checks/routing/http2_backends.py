"""Headers that HTTP/2 to a backend does not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.finding import Confidence
from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.syntax.tree import Directive

_OF_ONE_CONNECTION = frozenset(
    {"connection", "upgrade", "keep-alive", "transfer-encoding", "proxy-connection", "te"}
)


def connection_header_over_http2(ctx: CheckContext) -> Iterable[Hit]:
    """Headers of one connection, which HTTP/2 does not have."""
    seen: set[Directive] = set()
    for each in ctx.model.passes:
        over = each.protocol == "grpc" or (
            each.protocol == "proxy" and ctx.model.value(each.scope, "proxy_http_version") == "2"
        )
        for node in _set(ctx.model, each) if over else ():
            if node in seen:
                continue
            certain = _sent(ctx.model, node, each.scope)
            if certain is None:
                continue
            seen.add(node)
            yield Hit(
                arg(node, node.args[1]),
                f"{node.args[0]} is not allowed in HTTP/2: the backend may reject every request",
                node,
                related=(("HTTP/2 request", whole(each.directive)),),
                confidence=None if certain else Confidence.MEDIUM,
                help=f'Set {node.args[0]} to "", or use proxy_http_version 1.1 for WebSockets.'
                if each.protocol == "proxy"
                else f'Set {node.args[0]} to "".',
            )


def _set(model: Model, each: Pass) -> Iterator[Directive]:
    for node in model.effective(each.scope, f"{each.protocol}_set_header"):
        if len(node.args) > 1 and node.args[0].lower() in _OF_ONE_CONNECTION:
            yield node


def _sent(model: Model, node: Directive, scope: Directive) -> bool | None:
    """Whether the header surely is sent; False: for some requests; None: it is not."""
    header, value = node.args[0].lower(), node.args[1]
    if header == "te" and value.lower() == "trailers":
        return None
    if "$" not in value:
        return True if value else None
    values = model.possible_values(value, scope)
    if values.complete:
        return None if values.constants == {""} else "" not in values.constants
    return False
