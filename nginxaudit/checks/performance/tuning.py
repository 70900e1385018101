"""Workers, connections, buffers and caches: what keeps a busy nginx from doing its work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg, listed, name_of, whole
from nginxaudit.nginx import parse_address, parse_number, parse_size, parse_time_ms
from nginxaudit.syntax.tree import Directive

_KEEPALIVE_BY_DEFAULT = (1, 29, 7)
_MANY_REQUESTS = 1000  # default of keepalive_requests since 1.19.10
_BPF_FIXED = (1, 31, 7)
_DEFAULT_CONNECTIONS = 512
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
_ONE_BY_DESIGN = ("127.", "169.254.", "10.96.", "10.43.", "172.20.0.10", "::1", "fd")
"""Resolvers that are one address for many: local ones, those of clouds and of Kubernetes."""


def _number(node: Directive | None) -> int | None:
    try:
        return parse_number(node.args[0]) if node is not None and node.args else None
    except ValueError:
        return None


def worker_processes_unset(ctx: CheckContext) -> Iterable[Hit]:
    """One worker for all processors, or none at all."""
    nodes = ctx.model.config.named("worker_processes")
    for node in nodes:
        if node.args[:1] == ["0"]:
            yield Hit(
                whole(node),
                "nginx starts, and no worker does: nobody is served",
                node,
                severity=Severity.ERROR,
                help="Write worker_processes auto;",
            )
    tuned = any(
        ctx.model.config.named(name) for name in ("worker_connections", "worker_rlimit_nofile", "user")
    )
    if not nodes and tuned and ctx.model.config.is_whole and ctx.model.servers("http"):
        block = ctx.model.config.named("http")[0]
        yield Hit(
            name_of(block),
            "worker_processes is not set: one worker does everything, on one processor",
            block,
            help="Write worker_processes auto; at the top.",
        )


def file_descriptor_limit(ctx: CheckContext) -> Iterable[Hit]:
    """More connections than files may be open."""
    connections = next(iter(ctx.model.config.named("worker_connections")), None)
    limit = next(iter(ctx.model.config.named("worker_rlimit_nofile")), None)
    wanted, allowed = _number(connections), _number(limit)
    if not any(each.protocol != "stream" for each in ctx.model.passes):
        return
    if limit is not None and allowed is not None and allowed < 2 * (wanted or _DEFAULT_CONNECTIONS):
        yield Hit(
            whole(limit),
            f"a proxied request needs two files: with {allowed} of them a worker cannot use its {wanted or _DEFAULT_CONNECTIONS} connections",
            limit,
            help="Allow at least twice as many files as connections.",
        )
    elif (
        limit is None
        and connections is not None
        and wanted is not None
        and wanted > 1024
        and ctx.model.config.is_whole
    ):
        yield Hit(
            whole(connections),
            f"{wanted} connections and no worker_rlimit_nofile: where 1024 files may be open, that is the limit",
            connections,
            help=f"Write worker_rlimit_nofile {2 * wanted}; unless the service manager sets a limit.",
        )


def quic_bpf_reuseport(ctx: CheckContext) -> Iterable[Hit]:
    """QUIC connections that are lost at every reload."""
    bpf = next((node for node in ctx.model.config.named("quic_bpf") if node.args[:1] == ["on"]), None)
    workers = next(iter(ctx.model.config.named("worker_processes")), None)
    if bpf is None or workers is None or workers.args[:1] == ["1"] or ctx.target.version >= _BPF_FIXED:
        return
    for server in ctx.model.servers("http"):
        for listen in server.listens:
            if listen.quic and "reuseport" in listen.options and listen.directive is not None:
                yield Hit(
                    whole(listen.directive),
                    "with quic_bpf and reuseport many QUIC connections are dropped when nginx is reloaded",
                    listen.directive,
                    related=(("quic_bpf is on here", whole(bpf)),),
                    help="Turn quic_bpf off.",
                )
                return


def low_keepalive_requests(ctx: CheckContext) -> Iterable[Hit]:
    """Connections of clients that are closed early."""
    for node in ctx.model.config.named("keepalive_requests"):
        number = _number(node)
        if (
            number is not None
            and number < _MANY_REQUESTS
            and node.context not in ("upstream", "stream-upstream")
        ):
            yield Hit(
                whole(node),
                f"connections are closed after {number} requests: with HTTP/2 that is a page or two, and TLS begins anew",
                node,
                help=f"Leave it at {_MANY_REQUESTS}.",
            )


def keepalive_disabled(ctx: CheckContext) -> Iterable[Hit]:
    """Connections of clients that are never, or nearly forever, kept."""
    for node in ctx.model.config.named("keepalive_timeout"):
        if node.context not in ("http", "server") or not node.args:
            continue
        try:
            time = parse_time_ms(node.args[0])
        except ValueError:
            continue
        if time == 0 or time > _STREAMING_MS:
            what = (
                "every request needs a connection of its own, and a TLS handshake"
                if time == 0
                else "idle clients hold connections for very long"
            )
            yield Hit(whole(node), what, node, help="Use a minute or so.")


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
                "a slow client holds the connection to the backend until it has read everything"
                + (
                    "; nothing is cached, either"
                    if ctx.model.effective(node.parent, name.replace("buffering", "cache"))
                    else ""
                ),
                node,
                severity=None if location is None or location.pattern == "/" else Severity.INFO,
                help="Turn it off only where responses are streams.",
            )


def _streams(pattern: str) -> bool:
    return any(word in pattern.lower() for word in _STREAMS)


def resolver_single_nameserver(ctx: CheckContext) -> Iterable[Hit]:
    """One name server on which backends depend."""
    dynamic = [each for each in ctx.model.passes if each.runtime]
    groups = [peer for group in ctx.model.all_upstreams for peer in group.peers if peer.parameter("resolve")]
    if not dynamic and not groups:
        return
    for node in ctx.model.config.named("resolver"):
        servers = [token for token in node.args if "=" not in token]
        if len(servers) != 1:
            continue
        try:
            address = parse_address(servers[0], 53)
        except ValueError:
            continue
        if address.kind == "name":
            problem = f"{servers[0]} is looked up once, when nginx starts"
        elif address.host.startswith(_ONE_BY_DESIGN):
            continue
        else:
            problem = f"while {servers[0]} does not answer, requests wait for resolver_timeout (30s by default) and fail"
        yield Hit(
            arg(node, servers[0]),
            f"backends are found by one name server: {problem}",
            node,
            help="Name two of them, by their addresses.",
        )


def upstream_keepalive_missing(ctx: CheckContext) -> Iterable[Hit]:
    """Groups to which every request opens a connection."""
    default = ctx.target.version >= _KEEPALIVE_BY_DEFAULT
    for group in ctx.model.upstreams("http"):
        node = group.directive
        written = node.first("keepalive")
        if default if written is None else not default or written.args[:1] != ["0"]:
            continue
        passes = [
            each for each in ctx.model.passes_to(group) if each.protocol in ("proxy", "fastcgi", "grpc")
        ]
        if passes and not ctx.model.unknown_inside(node) and not node.first("ntlm"):
            yield Hit(
                whole(written) if written is not None else whole(node),
                "every request opens a connection to the backend"
                + (" and a TLS session" if passes[0].scheme == "https" else ""),
                node,
                help='Write keepalive 32; with proxy_http_version 1.1 and Connection "".',
            )


def types_block_replaces_mime(ctx: CheckContext) -> Iterable[Hit]:
    """A few types that replace all the others."""
    for node in ctx.model.config.named("types"):
        if (
            not node.is_block
            or node.context not in ("server", "location")
            or not node.children
            or node.parent is None
        ):
            continue
        outer = ctx.model.effective(node.parent.parent, "types") if node.parent.parent is not None else []
        if outer and len(node.children) < len(outer[0].children) // 2 and not ctx.model.unknown_inside(node):
            yield Hit(
                name_of(node),
                "these types replace all those of the outer block: css, js and pictures are sent as the default type",
                node,
                related=(("not in force here", name_of(outer[0])),),
                help="Include mime.types in this block, too.",
            )


def proxy_cache_unbounded(ctx: CheckContext) -> Iterable[Hit]:
    """Caches that grow until the disk is full."""
    for name in ("proxy_cache_path", "fastcgi_cache_path", "uwsgi_cache_path", "scgi_cache_path"):
        for node in ctx.model.config.named(name):
            if node.args and not any(token.startswith(("max_size=", "min_free=")) for token in node.args):
                yield Hit(
                    whole(node),
                    "without max_size the cache may fill the disk",
                    node,
                    help="Add max_size=10g, or what the disk can bear.",
                )


def gzip_ineffective(ctx: CheckContext) -> Iterable[Hit]:
    """Compression of HTML alone."""
    for node in ctx.model.config.named("gzip"):
        if node.args[:1] == ["on"] and node.parent is not None and not ctx.model.config.fragment:
            types = ctx.model.effective(node.parent, "gzip_types") or [
                each for each in ctx.model.config.named("gzip_types") if node.parent in each.ancestors()
            ]
            if not types and not ctx.model.unknown_inside(node.parent):
                yield Hit(
                    whole(node),
                    "without gzip_types only text/html is compressed",
                    node,
                    help="Write gzip_types text/css application/javascript application/json image/svg+xml;",
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
        yield Hit(name_of(block), f"{name} is not set: {consequence}", block, help=f"Write {name} in http.")


def try_files_without_open_file_cache(ctx: CheckContext) -> Iterable[Hit]:
    """Files that are looked for anew at every request; asked for only."""
    for node in ctx.model.config.named("try_files"):
        cache = ctx.model.value(node, "open_file_cache")
        if (cache is None or cache == "off") and any(
            not token.startswith(("=", "@")) for token in node.args[:-1]
        ):
            yield Hit(
                whole(node),
                f"every request asks the file system for {listed([str(token) for token in node.args[:-1]])}",
                node,
                help="open_file_cache remembers the answers; deployments are then seen later.",
            )
