"""What happens to a request whose server failed: ``*_next_upstream*``, timeouts, and the way to the backup.

Facts: ``ngx_http_upstream_next`` in src/http/ngx_http_upstream.c, ``ngx_stream_proxy_next_upstream`` in
src/stream/ngx_stream_proxy_module.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from nginxaudit.checks.upstream.common import group_place, has_active_checks
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.peer import Peer
from nginxaudit.model.retries import Retry, directive_of, is_written
from nginxaudit.model.target import PassTarget
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx.names import EXCHANGING
from nginxaudit.syntax.tree import Directive

_POISON = ("http_500", "http_429", "http_503")
_CLIENT_ERRORS = ("http_403", "http_404", "http_429")
_COUNTED = "A client that exceeds its limit multiplies the load by the number of servers, and 429 counts as a failure of each."
_READS_BY_POST = ("graphql", "search", "rpc", "query")
_QUICK_MS = 3_000


Retries = Sequence[Retry]


def groups(ctx: CheckContext, at_least: int = 2) -> Iterator[tuple[Upstream, Retries]]:
    """Groups with several live servers, and how those who use them retry."""
    return (entry for entry in ctx.model.retried if entry[0].live >= at_least)


def _decided(ctx: CheckContext) -> Iterator[tuple[Upstream, list[tuple[Retry, Directive]]]]:
    """Groups with several live servers, and those who say by ``…_next_upstream`` how they retry."""
    if not is_written(ctx.model, "next_upstream"):
        return
    for upstream, retries in groups(ctx):
        written = [(retry, retry.directive) for retry in retries if retry.directive is not None]
        if written:
            yield upstream, written


def slow_servers(upstream: Upstream, retry: Retry) -> int:
    """How many servers one request may visit when those that drop packets come first.

    Connecting to this machine, or by UDP, never waits.
    """
    server = retry.each.server
    if server is not None and server.listens and all(listen.udp for listen in server.listens):
        return 0
    far = [peer for peer in (*upstream.live_primaries, *upstream.live_backups) if not is_here(peer)]
    return min(upstream.live, len(far) + 1) if far else 0


def is_here(peer: Peer) -> bool:
    """Whether a peer is on this machine, where a connection is made or refused at once."""
    address = peer.address
    return address is not None and (
        address.kind == "unix" or address.host.startswith("127.") or address.host in ("::1", "localhost")
    )


def long_connects(ctx: CheckContext, retry: Retry) -> str:
    """The cause of waits for servers that drop packets: the connect timeout in effect."""
    node = retry.connect_directive
    place = "" if node is None else f"{node.source.path}:{node.start}"
    return ctx.cause(directive_of(retry.each, "connect_timeout"), place, of="connect-timeout")


def once(retries: Retries, name: str, model: Model) -> Iterator[tuple[Directive, Retry]]:
    """The directives ``…_name`` in effect, each once."""
    seen: set[Directive] = set()
    for retry in retries:
        for node in model.effective(retry.each.scope, directive_of(retry.each, name)):
            if node not in seen:
                seen.add(node)
                yield node, retry


def next_upstream_off(ctx: CheckContext) -> Iterable[Hit]:
    """``off`` in a location whose group has more than one server."""
    reported: set[Directive] = set()
    for upstream, retries in _decided(ctx):
        for retry, node in retries:
            if not retry.off or node in reported or retry.each.scope.first("limit_except"):
                continue
            reported.add(node)
            backup = ", not even on the backup" if upstream.live_backups else ""
            yield Hit(
                whole(node),
                f'a request that fails at one server of "{upstream.name}" is not retried on another server{backup}',
                node,
                related=(("the upstream", group_place(upstream)),),
                severity=None if upstream.live_backups else Severity.INFO,
                help="Delete the line: the default is error timeout, and POST is not repeated. Or limit it to unsafe writes.",
            )


def next_upstream_non_idempotent(ctx: CheckContext) -> Iterable[Hit]:
    """``non_idempotent``: requests that were already sent are sent again."""
    for protocol in (*EXCHANGING, "tunnel"):
        if protocol == "grpc":
            continue  # every call is a POST there
        for node in ctx.model.config.named(f"{protocol}_next_upstream"):
            token = next((word for word in node.args if word.lower() == "non_idempotent"), None)
            if token is None or _reads_by_post(node) or _has_one_server(ctx.model, node):
                continue
            yield Hit(
                arg(node, token),
                "POST, LOCK and PATCH requests may be sent to a second server after the first one received them",
                node,
                help="Use it only in locations where POST requests change nothing.",
            )


def _has_one_server(model: Model, node: Directive) -> bool:
    """Whether no pass under a ``…_next_upstream`` has a second server; a name may have several addresses."""
    passes = model.once(_passes_by_retry).get(node, ())
    return bool(passes) and all(
        each.complete and bool(each.targets) and all(map(_is_one_server, each.targets)) for each in passes
    )


def _passes_by_retry(model: Model) -> dict[Directive, list[Pass]]:
    found: dict[Directive, list[Pass]] = {}
    for each in model.passes:
        for node in model.effective(each.scope, directive_of(each, "next_upstream"))[:1]:
            found.setdefault(node, []).append(each)
    return found


def _is_one_server(target: PassTarget) -> bool:
    group = target.upstream
    if group is None:
        return target.kind in ("address", "unix")
    peers = [peer for peer in group.peers if not peer.down]
    return group.complete and len(peers) == 1 and not peers[0].is_hostname


def _reads_by_post(node: Directive) -> bool:
    block = node.parent
    text = " ".join(block.args).lower() if block is not None and block.inner == "location" else ""
    return any(word in text for word in _READS_BY_POST)


def next_upstream_5xx_poison(ctx: CheckContext) -> Iterable[Hit]:
    """Answers that count as failures where one failure takes a server out."""
    for upstream, retries in _decided(ctx):
        weak = [peer for peer in upstream.peers if peer.is_live and peer.max_fails == 1]
        if len(weak) < 2 or has_active_checks(ctx.model, upstream):
            continue
        for retry, node in retries:
            listed_codes = [code for code in _POISON if code in retry.conditions]
            if not listed_codes or 0 < retry.tries < len(weak):
                continue
            token = next(word for word in node.args if word.lower() == listed_codes[0])
            yield Hit(
                arg(node, token),
                f'two requests answered with {listed_codes[0][5:]} mark every server of "{upstream.name}" unavailable (max_fails is 1)',
                node,
                related=(("the upstream", group_place(upstream)),),
                severity=Severity.INFO if listed_codes == ["http_503"] else None,
                help="Set max_fails=3 or more on the servers, or remove the code.",
            )
            break


def next_upstream_client_error(ctx: CheckContext) -> Iterable[Hit]:
    """Errors of clients that are asked again of every server."""
    for upstream, retries in _decided(ctx):
        if any(word in upstream.key for word in ("shard", "storage", "files", "static", "object")):
            continue
        for retry, node in retries:
            found = [code for code in _CLIENT_ERRORS if code in retry.conditions]
            if not found or retry.tries:
                continue
            token = next(word for word in node.args if word.lower() == found[0])
            yield Hit(
                arg(node, token),
                f'every request that is answered with {found[0][5:]} is retried on all {upstream.live} servers of "{upstream.name}"',
                node,
                why=_COUNTED if found[0] == "http_429" else "",
                related=(("the upstream", group_place(upstream)),),
                help="Remove the code, unless the servers hold different files.",
            )
            break


def next_upstream_unbounded(ctx: CheckContext) -> Iterable[Hit]:
    """Many servers and no limit to the tries of one request."""
    for upstream, retries in groups(ctx, 3):
        retry = max(retries, key=lambda each: each.connect)
        if not retry.after_timeout or retry.tries or retry.budget or retry.connect <= _QUICK_MS:
            continue
        if slow_servers(upstream, retry) < 3:
            continue
        hit = Hit(
            group_place(upstream),
            f'during an outage one request may try all {upstream.live} servers of "{upstream.name}", '
            f"{seconds(retry.connect)} each: the tries are not limited",
            upstream.directive,
            related=(("used here", whole(retry.each.directive)),),
            help=f"Set {directive_of(retry.each, 'next_upstream_tries')} 3; and {directive_of(retry.each, 'connect_timeout')} 2s;",
            cause=long_connects(ctx, retry),
        )
        names = (
            directive_of(retry.each, suffix) for suffix in ("next_upstream_tries", "next_upstream_timeout")
        )
        assumed = any(ctx.model.may_be_set(retry.each.scope, name) for name in names)
        yield unless(assumed, "a block around it does", hit)


def request_buffering_disables_retry(ctx: CheckContext) -> Iterable[Hit]:
    """Bodies that are passed on while they arrive cannot be sent a second time."""
    if not is_written(ctx.model, "request_buffering"):
        return
    reported: set[Directive] = set()
    for upstream, retries in groups(ctx):
        for node, retry in once(retries, "request_buffering", ctx.model):
            expected = retry.each.scope.first(directive_of(retry.each, "next_upstream")) is not None
            off = node.args and node.args[0].lower() == "off"
            if not off or node in reported or not (expected or upstream.live_backups):
                continue
            reported.add(node)
            yield Hit(
                whole(node),
                f'request buffering is off: nginx cannot retry a request with a body on another server of "{upstream.name}"',
                node,
                related=(("the upstream", group_place(upstream)),),
                help="Keep buffering on where requests should survive the failure of a server.",
            )


def seconds(milliseconds: int) -> str:
    """Milliseconds as people write them: ``2.5s``."""
    return f"{milliseconds / 1000:g}s"
