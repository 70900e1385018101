"""What happens to a request whose server failed: ``*_next_upstream*``, timeouts, and the way to the backup.

Facts: ``ngx_http_upstream_next`` in src/http/ngx_http_upstream.c, ``ngx_stream_proxy_next_upstream`` in
src/stream/ngx_stream_proxy_module.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.upstream.common import group_place, has_active_checks, peer_place, related_peers
from nginxaudit.finding import Confidence, Edit, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, listed, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.retries import Retry, directive_of, is_written
from nginxaudit.model.target import PassTarget
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx.names import EXCHANGING
from nginxaudit.syntax.tree import Directive

_POISON = ("http_500", "http_429", "http_503")
_CLIENT_ERRORS = ("http_403", "http_404", "http_429")
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
    told: set[Directive] = set()
    for upstream, retries in _decided(ctx):
        for retry, node in retries:
            if not retry.off or node in told or retry.each.scope.first("limit_except"):
                continue
            told.add(node)
            more = (
                f'; "{" ".join(sorted(retry.conditions - {"off"}))}" beside it means nothing'
                if retry.conditions != {"off"}
                else ""
            )
            backup = ", and the backup does not help it" if upstream.live_backups else ""
            yield Hit(
                whole(node),
                f'a request that fails at one server of "{upstream.name}" is not tried at another one{backup}{more}',
                node,
                related=(("the group", group_place(upstream)),),
                severity=None if upstream.live_backups else Severity.INFO,
                help='Delete the line: "error timeout" is the default, and POST is not repeated. Or limit it to unsafe writes.',
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
                "POST, LOCK and PATCH requests that were already sent are sent again to another server: "
                "orders and payments can be made twice",
                node,
                help="Limit it to the locations where POST only reads.",
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
                f'two requests that the application answers with {listed_codes[0][5:]} mark every server of "{upstream.name}" unavailable: '
                "all answers but the last one of a request count as failures, and max_fails is 1",
                node,
                related=(("the group", group_place(upstream)),),
                severity=Severity.INFO if listed_codes == ["http_503"] else None,
                help="Set max_fails=3 or more on the servers, or leave the code out.",
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
                f'every request that is answered with {found[0][5:]} is asked again of all {upstream.live} servers of "{upstream.name}"',
                node,
                related=(("the group", group_place(upstream)),),
                help="Leave the code out, unless every server holds other files.",
            )
            break


def next_upstream_unbounded(ctx: CheckContext) -> Iterable[Hit]:
    """Many servers and no limit to the tries of one request."""
    for upstream, retries in groups(ctx, 3):
        retry = max(retries, key=lambda each: each.connect)
        if retry.off or retry.tries or retry.budget or retry.connect <= _QUICK_MS:
            continue
        hit = Hit(
            group_place(upstream),
            f'during an outage one request may visit all {upstream.live} servers of "{upstream.name}", '
            f"{seconds(retry.connect)} each: nothing limits its tries",
            upstream.directive,
            related=(("used here", whole(retry.each.directive)),),
            help=f"Set {directive_of(retry.each, 'next_upstream_tries')} 3; and {directive_of(retry.each, 'next_upstream_timeout')} 10s; "
            "beside a short connect timeout.",
        )
        names = (
            directive_of(retry.each, suffix) for suffix in ("next_upstream_tries", "next_upstream_timeout")
        )
        assumed = any(ctx.model.may_be_set(retry.each.scope, name) for name in names)
        yield unless(assumed, "a block around it does", hit)


def next_upstream_timeout_ineffective(ctx: CheckContext) -> Iterable[Hit]:
    """A limit that is used up by the first try."""
    if not any(is_written(ctx.model, name) for name in ("next_upstream_timeout", "next_upstream_tries")):
        return
    told: set[Directive] = set()
    for upstream, retries in groups(ctx):
        for node, retry in once(retries, "next_upstream_timeout", ctx.model):
            if node in told or retry.off or not 0 < retry.budget <= retry.connect:
                continue
            if not retry.connect_written and ctx.model.may_be_set(
                retry.each.scope, directive_of(retry.each, "connect_timeout")
            ):
                continue
            told.add(node)
            default = "" if retry.connect_written else ", the default"
            yield Hit(
                whole(node),
                f"after {seconds(retry.budget)} no other server is tried, but connecting to one that does not answer takes "
                f"{seconds(retry.connect)}{default}: such requests are never retried",
                node,
                related=(("the group", group_place(upstream)),),
                help=f"Set {directive_of(retry.each, 'connect_timeout')} to a few seconds.",
            )
        for node, retry in once(retries, "next_upstream_tries", ctx.model):
            if node in told or retry.off or retry.tries != 1:
                continue
            told.add(node)
            yield Hit(
                whole(node),
                f'one try is no retry: a request that fails at one server of "{upstream.name}" fails',
                node,
                related=(("the group", group_place(upstream)),),
                help="Allow 2 or more.",
            )


def request_buffering_disables_retry(ctx: CheckContext) -> Iterable[Hit]:
    """Bodies that are passed on while they arrive cannot be sent a second time."""
    if not is_written(ctx.model, "request_buffering"):
        return
    told: set[Directive] = set()
    for upstream, retries in groups(ctx):
        for node, retry in once(retries, "request_buffering", ctx.model):
            expected = retry.each.scope.first(directive_of(retry.each, "next_upstream")) is not None
            off = node.args and node.args[0].lower() == "off"
            if not off or node in told or not (expected or upstream.live_backups):
                continue
            told.add(node)
            yield Hit(
                whole(node),
                f'once a part of the body was sent, the request cannot go to another server of "{upstream.name}"',
                node,
                related=(("the group", group_place(upstream)),),
                help="Leave buffering on where requests shall survive the death of a server.",
            )


def unreachable_backup(ctx: CheckContext) -> Iterable[Hit]:
    """Backups that can never take over, or never within one request."""
    for upstream, retries in groups(ctx, 1):
        if not upstream.backups or not upstream.live_primaries:
            continue
        if not upstream.live_backups:
            yield Hit(
                peer_place(upstream.backups[0]),
                f'every backup of "{upstream.name}" is marked down: nobody takes over',
                upstream.backups[0].directive,
                related=related_peers("down, too", upstream.backups[1:]),
                severity=Severity.WARNING,
            )
            continue
        yield from _cut_off(ctx.model, upstream, retries)


def _cut_off(model: Model, upstream: Upstream, retries: Retries) -> Iterator[Hit]:
    primaries = len(upstream.live_primaries)
    never = not any(peer.max_fails for peer in upstream.live_primaries)
    if not never and primaries == 1:
        return
    backup = upstream.live_backups[0]
    names = listed([peer.text for peer in upstream.live_backups])
    if never and all(retry.off or retry.tries == 1 for retry in retries):
        settings = [retry.directive for retry in retries if retry.directive]
        yield Hit(
            peer_place(backup),
            f'{names} can never take over: the primaries of "{upstream.name}" have max_fails=0, so they are never taken out, '
            "and no request is tried a second time",
            backup.directive,
            related=tuple(("no second try", whole(node)) for node in settings[:1]),
            help="Delete max_fails=0, or allow retries.",
            make_fix=partial(_one_more_try, upstream, model),
        )
        return
    literal = all(peer.is_literal for peer in upstream.live_primaries)
    if literal and all(0 < retry.tries <= primaries and not retry.off for retry in retries) and primaries > 1:
        yield Hit(
            peer_place(backup),
            f"no request gets as far as {names}: {retries[0].tries} tries are used up by the {primaries} primaries; "
            "clients see errors until each primary is taken out",
            backup.directive,
            related=(("used here", whole(retries[0].each.directive)),),
            severity=Severity.WARNING,
            confidence=Confidence.MEDIUM,
            help=f"Allow {primaries + 1} tries.",
            make_fix=partial(_one_more_try, upstream, model),
        )


def _one_more_try(upstream: Upstream, model: Model) -> Edits:
    """One try more than there are primaries, where a limit alone keeps requests from the backup."""
    if not all(peer.is_literal for peer in upstream.live_primaries):
        return None
    primaries = len(upstream.live_primaries)
    made: dict[Directive, Edit] = {}
    for each in model.passes_to(upstream):
        retry = model.retry(each)
        if retry is None or retry.off or not 0 < retry.tries <= primaries:
            return None
        for node in model.effective(each.scope, directive_of(each, "next_upstream_tries")):
            made[node] = edits.exchanged(node, node.args[0], str(primaries + 1))
    return tuple(made.values())


def seconds(milliseconds: int) -> str:
    """Milliseconds as people write them: ``2.5s``."""
    return f"{milliseconds / 1000:g}s"
