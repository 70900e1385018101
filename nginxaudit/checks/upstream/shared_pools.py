"""Protocols of passes that do not go together: in one pool of connections, and with headers of one connection.

``ngx_http_upstream_get_keepalive_peer`` in src/http/modules/ngx_http_upstream_keepalive_module.c compares addresses only:
a connection on which one protocol was spoken is used for the other one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.checks.upstream.keepalive import keeps_connections
from nginxaudit.finding import Confidence
from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.upstream import Upstream
from nginxaudit.syntax.tree import Directive

_OF_ONE_CONNECTION = frozenset(
    {"connection", "upgrade", "keep-alive", "transfer-encoding", "proxy-connection", "te"}
)


def keepalive_pool_shared(ctx: CheckContext) -> Iterable[Hit]:
    """A pool that passes of several protocols put connections into and take them from."""
    for upstream in ctx.model.upstreams("http"):
        pool = upstream.keepalive
        if pool is None or pool.args[:1] == ["0"] or "local" in pool.args:
            continue
        found = _clash(ctx, upstream)
        if found is None:
            continue
        kept, other = found
        yield Hit(
            whole(pool),
            f'the pool of "{upstream.name}" is shared by {_protocol(ctx.model, kept)} and {_protocol(ctx.model, other)}: '
            "requests fail on connections of the other protocol",
            pool,
            related=tuple((_protocol(ctx.model, each), whole(each.directive)) for each in (kept, other)),
            help="Define one upstream for each protocol, with the same servers.",
        )


def _clash(ctx: CheckContext, upstream: Upstream) -> tuple[Pass, Pass] | None:
    """A pass whose connections are kept, and one of another protocol that gets them."""
    by_protocol: dict[str, list[Pass]] = {}
    for each in ctx.model.passes_to(upstream):
        by_protocol.setdefault(_protocol(ctx.model, each), []).append(each)
    if len(by_protocol) < 2 or "" in by_protocol:
        return None
    # HTTP/2 is what gRPC speaks, too.
    classes: dict[str, list[Pass]] = {}
    for name, passes in by_protocol.items():
        classes.setdefault("HTTP/2" if name == "gRPC" else name, []).extend(passes)
    for name, passes in classes.items():
        kept = next((each for each in passes if keeps_connections(ctx, each)), None)
        other = next((others[0] for word, others in classes.items() if word != name), None)
        if kept is not None and other is not None:
            return kept, other
    return None


def _protocol(model: Model, each: Pass) -> str:
    """What is spoken on connections of a pass; empty where that cannot be known."""
    if each.protocol == "grpc":
        return "gRPC"
    if each.protocol != "proxy":
        return {"fastcgi": "FastCGI", "memcached": "memcached", "uwsgi": "uwsgi", "scgi": "SCGI"}.get(
            each.protocol, ""
        )
    version = model.value(each.scope, "proxy_http_version")
    if version is not None and "$" in version:
        return ""
    return "HTTP/2" if version == "2" else "HTTP/1"


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
                f"{node.args[0]} is not allowed in HTTP/2, which is sent from here: the backend may refuse every such request",
                node,
                related=(("sent from here", whole(each.directive)),),
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
