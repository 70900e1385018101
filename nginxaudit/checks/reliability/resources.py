"""Resources that run out: processes, connections, files, disk space."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.performance.tuning import number_of
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, name_of, whole
from nginxaudit.model import Model
from nginxaudit.nginx import parse_address
from nginxaudit.syntax.tree import Directive

_BPF_FIXED = (1, 31, 7)


_DEFAULT_CONNECTIONS = 512


_ONE_BY_DESIGN = ("127.", "169.254.", "10.96.", "10.43.", "172.20.0.10", "::1", "fd")
"""Resolvers that are one address for many: local ones, those of clouds and of Kubernetes."""


def worker_processes_unset(ctx: CheckContext) -> Iterable[Hit]:
    """One worker for all processors, or none at all."""
    nodes = ctx.model.config.named("worker_processes")
    for node in nodes:
        if node.args[:1] == ["0"]:
            yield Hit(
                whole(node),
                "worker_processes 0 starts no worker: no request is served",
                node,
                severity=Severity.ERROR,
                help="Write worker_processes auto;",
                why="The master process starts and listens, but no process accepts the connections.",
                make_fix=partial(_exchanged, node, "auto"),
            )
    tuned = any(
        ctx.model.config.named(name) for name in ("worker_connections", "worker_rlimit_nofile", "user")
    )
    if not nodes and tuned and ctx.model.config.is_whole and ctx.model.servers("http"):
        block = ctx.model.config.named("http")[0]
        yield Hit(
            name_of(block),
            "worker_processes is not set: nginx starts one worker",
            block,
            help="Write worker_processes auto; at the top.",
            make_fix=partial(_set_at_the_top, ctx.model),
        )


def _exchanged(node: Directive, value: str) -> Edits:
    return (edits.exchanged(node, node.args[0], value),)


def _set_at_the_top(model: Model) -> Edits:
    """``auto`` at the top of the main file, after ``user``."""
    own = [each for at in model.config.top.children if (each := _in_main(at, model)) is not None]
    user = next((each for each in own if each.name == "user"), None)
    if user is not None:
        return (edits.after(user, "worker_processes auto;"),)
    return (edits.before(own[0], "worker_processes auto;"),) if own else None


def _in_main(node: Directive, model: Model) -> Directive | None:
    """What brings ``node`` into the main file: itself, or an include."""
    at: Directive | None = node
    while at is not None and (at.source is not model.config.main or at.via is not None):
        at = at.via
    return at


def file_descriptor_limit(ctx: CheckContext) -> Iterable[Hit]:
    """More connections than files may be open."""
    connections = next(iter(ctx.model.config.named("worker_connections")), None)
    limit = next(iter(ctx.model.config.named("worker_rlimit_nofile")), None)
    wanted, allowed = number_of(connections), number_of(limit)
    if not any(each.protocol != "stream" for each in ctx.model.passes):
        return
    if limit is not None and allowed is not None and allowed < 2 * (wanted or _DEFAULT_CONNECTIONS):
        yield Hit(
            whole(limit),
            f"worker_rlimit_nofile {allowed} is too low for {wanted or _DEFAULT_CONNECTIONS} connections",
            limit,
            help="Allow at least twice as many files as connections.",
            make_fix=partial(_enough_files, limit, connections, wanted),
        )
    elif (
        limit is None
        and connections is not None
        and wanted is not None
        and wanted >= int(ctx.options["from"])
        and ctx.model.config.is_whole
    ):
        yield Hit(
            whole(connections),
            f"{wanted} worker_connections without worker_rlimit_nofile: a limit of 1024 open files applies first",
            connections,
            help=f"Write worker_rlimit_nofile {2 * wanted}; unless the service manager sets a limit.",
            make_fix=partial(_enough_files, limit, connections, wanted),
        )


def _enough_files(limit: Directive | None, connections: Directive | None, wanted: int | None) -> Edits:
    """Two files for every connection."""
    if connections is not None and wanted is None:
        return None
    files = str(2 * (wanted if wanted is not None else _DEFAULT_CONNECTIONS))
    if limit is not None:
        return _exchanged(limit, files)
    block = connections.parent if connections is not None else None
    return (edits.before(block, f"worker_rlimit_nofile {files};"),) if block is not None else None


def quic_bpf_reuseport(ctx: CheckContext) -> Iterable[Hit]:
    """QUIC connections that are lost at every reload."""
    bpf = next((node for node in ctx.model.config.named("quic_bpf") if node.args[:1] == ["on"]), None)
    workers = next(iter(ctx.model.config.named("worker_processes")), None)
    if bpf is None or workers is None or workers.args[:1] == ["1"] or ctx.target.since(_BPF_FIXED):
        return
    for server in ctx.model.servers("http"):
        for listen in server.listens:
            if listen.quic and "reuseport" in listen.options and listen.directive is not None:
                yield Hit(
                    whole(listen.directive),
                    "reuseport in a QUIC listen while quic_bpf is on",
                    listen.directive,
                    related=(("quic_bpf is on here", whole(bpf)),),
                    help="Turn quic_bpf off.",
                    make_fix=partial(_exchanged, bpf, "off"),
                )
                return


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
            problem = f"{servers[0]} is resolved only once, at start"
        elif address.host.startswith(_ONE_BY_DESIGN):
            continue
        else:
            problem = f"requests fail while {servers[0]} does not answer"
        yield Hit(
            arg(node, servers[0]),
            f"only one name server resolves the backends: {problem}",
            node,
            help="List two name servers by address.",
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
                "this types block replaces all inherited types",
                node,
                related=(("replaced here", name_of(outer[0])),),
                help="Include mime.types in this block as well.",
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
                    help="Add max_size, for example max_size=10g.",
                )
