"""Protocols of passes that do not go together: in one pool of connections, and with headers of one connection.

``ngx_http_upstream_get_keepalive_peer`` in src/http/modules/ngx_http_upstream_keepalive_module.c compares addresses only:
a connection on which one protocol was spoken is used for the other one.
"""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.upstream.keepalive import keeps_connections
from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.upstream import Upstream


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
