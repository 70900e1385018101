"""Workers, connections, buffers and caches: what keeps a busy nginx from doing its work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.upstream.keepalive import binds_logins, keeps_connections, kept
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Edits, Hit, name_of, whole
from nginxaudit.model.passes import Pass
from nginxaudit.nginx import facts_for, parse_number, parse_time_ms
from nginxaudit.nginx.modules import module_of
from nginxaudit.nginx.names import UPSTREAM_CONTEXTS
from nginxaudit.nginx.since import KEEPALIVE_BY_DEFAULT
from nginxaudit.syntax.tree import Directive

_MANY_REQUESTS = 1000  # default of keepalive_requests since 1.19.10
_STREAMING_MS = 600_000  # a read timeout from here on means streams
_STREAMS = (
    "event",
    "stream",
    "sse",
    "ws",
    "socket",
    "live",
    "watch",
    "tail",
    "poll",
    "chat",
    "notif",
    "mercure",
    "hub",
)

_TYPES = "gzip_types text/css application/javascript application/json image/svg+xml;"
_POOL = "32"  # connections


def number_of(node: Directive | None) -> int | None:
    """The first argument as a number, None where it is none."""
    try:
        return parse_number(node.args[0]) if node is not None and node.args else None
    except ValueError:
        return None


def low_keepalive_requests(ctx: CheckContext) -> Iterable[Hit]:
    """Connections of clients that are closed early."""
    for node in ctx.model.config.named("keepalive_requests"):
        number = number_of(node)
        if number is not None and number < _MANY_REQUESTS and node.context not in UPSTREAM_CONTEXTS:
            yield Hit(
                whole(node),
                f"connections are closed after {number} requests: with HTTP/2 that is one or two pages",
                node,
                help=f"Leave it at {_MANY_REQUESTS}.",
            )


def keepalive_disabled(ctx: CheckContext) -> Iterable[Hit]:
    """Connections of clients that are never kept."""
    for node in ctx.model.config.named("keepalive_timeout"):
        if node.context not in ("http", "server") or not node.args:
            continue
        try:
            time = parse_time_ms(node.args[0])
        except ValueError:
            continue
        if time == 0:
            what = "keepalive_timeout 0 disables keepalive connections of clients"
            yield Hit(whole(node), what, node, help="Use about a minute.")


def proxy_buffering_off(ctx: CheckContext) -> Iterable[Hit]:
    """Slow clients that hold a connection to the backend."""
    for name in ("proxy_buffering", "fastcgi_buffering", "uwsgi_buffering", "scgi_buffering"):
        for node in ctx.model.config.named(name):
            if node.args[:1] != ["off"] or node.parent is None or ctx.model.family_of(node) != "http":
                continue
            location = ctx.model.location_of(node)
            timeout = ctx.model.time_ms(node, name.replace("buffering", "read_timeout"), 60_000)
            if location is not None and (
                timeout is None or timeout >= _STREAMING_MS or _streams(location.pattern)
            ):
                continue
            if location is not None and (location.directive.first("proxy_http_version") or location.is_exact):
                continue  # made for one thing
            yield Hit(
                whole(node),
                f"{node.name} off: slow clients occupy backend connections"
                + (
                    ", and responses are not cached"
                    if ctx.model.effective(node.parent, name.replace("buffering", "cache"))
                    else ""
                ),
                node,
                severity=None if location is None or location.pattern == "/" else Severity.INFO,
                help="Turn buffering off only where responses are streams.",
            )


def _streams(pattern: str) -> bool:
    return any(word in pattern.lower() for word in _STREAMS)


def upstream_keepalive_missing(ctx: CheckContext) -> Iterable[Hit]:
    """Groups to which every request opens a connection."""
    if ctx.target.since(KEEPALIVE_BY_DEFAULT):
        return  # connections are kept, unless "keepalive 0" says that none should be
    for group in ctx.model.upstreams("http"):
        node = group.directive
        if group.keepalive is not None or not all(map(_is_known, node.children)):
            continue  # what is not known may be a word of another line
        passes = [
            each for each in ctx.model.passes_to(group) if each.protocol in ("proxy", "fastcgi", "grpc")
        ]
        if passes and not ctx.model.unknown_inside(node) and not node.first("ntlm"):
            yield Hit(
                whole(node),
                "no keepalive: every request opens a new connection to the backend"
                + (" and a new TLS session" if passes[0].scheme == "https" else ""),
                node,
                help='Write keepalive 32; with proxy_http_version 1.1 and Connection "".',
                make_fix=partial(_pooled, node, passes, ctx),
            )


def _is_known(line: Directive) -> bool:
    return bool(facts_for(line.name, line.context)) or module_of(line.name) is not None


def _pooled(group: Directive, passes: list[Pass], ctx: CheckContext) -> Edits:
    """A pool at the end of the group, after its method, and what the passes lack to use it.

    None for FastCGI, where idle connections occupy the processes of a small pool, and where logins hold for a connection.
    """
    upstream = passes[0].upstream
    if any(each.protocol == "fastcgi" or (upstream and binds_logins(each, upstream)) for each in passes):
        return None
    made = [edits.last_in(group, f"keepalive {_POOL};")]
    for each in passes:
        if not keeps_connections(ctx, each):
            fix = upstream and kept(each, upstream, ctx.model)
            if not fix:
                return None  # the pool alone would have no effect
            made += fix.edits
    return tuple(dict.fromkeys(made))


def gzip_ineffective(ctx: CheckContext) -> Iterable[Hit]:
    """Compression of HTML alone."""
    for node in ctx.model.config.named("gzip"):
        if node.args[:1] == ["on"] and node.parent is not None:
            if ctx.model.may_be_set(node.parent, "gzip_types"):
                continue
            types = ctx.model.effective(node.parent, "gzip_types") or [
                each for each in ctx.model.config.named("gzip_types") if node.parent in each.ancestors()
            ]
            if not types and not ctx.model.unknown_inside(node.parent):
                yield Hit(
                    whole(node),
                    "gzip_types is not set: only text/html is compressed",
                    node,
                    help=f"Write {_TYPES}",
                    make_fix=partial(_with_types, node),
                )


def _with_types(node: Directive) -> Edits:
    """The types of text that sites serve, beside ``gzip``; ``if`` does not allow them."""
    if node.parent is None or node.parent.inner not in ("http", "server", "location"):
        return None
    return (edits.after(node, _TYPES),)


def client_max_body_size_unset(ctx: CheckContext) -> Iterable[Hit]:
    """Uploads above 1 MB are refused; asked for only."""
    yield from _nowhere(ctx, "client_max_body_size", "uploads above 1 MB are refused with 413")


def gzip_disabled(ctx: CheckContext) -> Iterable[Hit]:
    """Nothing is compressed; asked for only."""
    if not any(node.args[:1] == ["on"] for node in ctx.model.config.named("gzip")):
        yield from _nowhere(ctx, "gzip", "responses are sent uncompressed")


def _nowhere(ctx: CheckContext, name: str, consequence: str) -> Iterator[Hit]:
    if ctx.model.config.named(name) or not ctx.model.config.is_whole or not ctx.model.servers("http"):
        return
    for block in ctx.model.config.named("http")[:1]:
        yield Hit(
            name_of(block), f"{name} is not set: {consequence}", block, help=f"Set {name} at the http level."
        )
