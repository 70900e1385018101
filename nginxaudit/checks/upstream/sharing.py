"""What workers share, and whether connections to servers are used again."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.upstream.common import group_place, parameter_place
from nginxaudit.finding import Confidence
from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.syntax.tree import Directive

_HTTP11_BY_DEFAULT = (1, 29, 7)
_NO_KEEPALIVE = frozenset({"uwsgi", "scgi"})


def workers(model: Model) -> int | None:
    """Number of workers: 1 by default, None for ``auto``, 1 where the main file is not known."""
    nodes = model.config.named("worker_processes")
    if model.config.fragment or not nodes or not nodes[0].args:
        return 1
    value = nodes[0].args[0]
    return int(value) if value.isdigit() else None


def upstream_without_zone(ctx: CheckContext) -> Iterable[Hit]:
    """Several workers, each with its own idea of who is alive."""
    if workers(ctx.model) == 1:
        return
    for upstream in ctx.model.all_upstreams:
        live = len(upstream.live_primaries) + len(upstream.live_backups)
        if live < 2 or upstream.zone is not None or upstream.external or not upstream.complete:
            continue
        if upstream.method in ("hash", "ip_hash", "unknown") or any(
            peer.max_conns for peer in upstream.peers
        ):
            continue
        if not ctx.model.passes_to(upstream):
            continue
        yield Hit(
            group_place(upstream),
            f'every worker counts the failures and connections of "{upstream.name}" on its own: '
            "a dead server is found once per worker",
            upstream.directive,
            help=f"Add zone {upstream.name} 64k; to the upstream.",
        )


def max_conns_without_zone(ctx: CheckContext) -> Iterable[Hit]:
    """A limit that every worker applies on its own."""
    count = workers(ctx.model)
    if count == 1:
        return
    for upstream in ctx.model.all_upstreams:
        limited = [peer for peer in upstream.peers if peer.max_conns]
        if not limited or upstream.zone is not None or not upstream.complete:
            continue
        times = f"{count} times" if count else "as many times as there are workers"
        peer = limited[0]
        yield Hit(
            parameter_place(peer, "max_conns"),
            f"without a zone every worker allows {peer.max_conns} connections to {peer.text}: the real limit is {times} that",
            peer.directive,
            related=(("the group", group_place(upstream)),),
            help=f"Add zone {upstream.name} 64k; to the upstream.",
        )


def upstream_keepalive_ineffective(ctx: CheckContext) -> Iterable[Hit]:
    """A pool of connections that some location cannot use."""
    for upstream in ctx.model.upstreams("http"):
        pool = upstream.keepalive
        if pool is None or pool.args[:1] == ["0"]:
            continue
        for each in ctx.model.passes_to(upstream):
            reason, node, confidence = _reason(ctx, each)
            if reason:
                related = (("because of this", whole(node)),) if node is not None else ()
                yield Hit(
                    whole(each.directive),
                    f'connections to "{upstream.name}" are not used again here, in spite of its keepalive: {reason}',
                    each.directive,
                    related=(("the pool", whole(pool)), *related),
                    confidence=confidence,
                    help=_help(each),
                )
                break


def _help(each: Pass) -> str:
    if each.protocol == "fastcgi":
        return "Add fastcgi_keep_conn on;"
    if each.protocol in _NO_KEEPALIVE:
        return "Delete keepalive from the upstream."
    return 'Add proxy_http_version 1.1; and proxy_set_header Connection ""; beside the other proxy_set_header lines in effect here.'


def _reason(ctx: CheckContext, each: Pass) -> tuple[str, Directive | None, Confidence | None]:
    if each.protocol in _NO_KEEPALIVE:
        return f"{each.protocol} opens a connection for every request", None, None
    if each.protocol == "fastcgi":
        if ctx.model.flag(each.scope, "fastcgi_keep_conn", False) is False:
            return "fastcgi_keep_conn is off", None, None
        return "", None, None
    if each.protocol != "proxy":
        return "", None, None
    modern = ctx.target.version >= _HTTP11_BY_DEFAULT
    versions = ctx.model.effective(each.scope, "proxy_http_version")
    version = str(versions[0].args[0]) if versions and versions[0].args else ("1.1" if modern else "1.0")
    if version == "1.0":
        return "HTTP/1.0 is spoken to it", versions[0] if versions else None, None
    if version != "1.1":
        return "", None, None
    return _connection_header(ctx, each, modern)


def _connection_header(
    ctx: CheckContext, each: Pass, modern: bool
) -> tuple[str, Directive | None, Confidence | None]:
    headers = ctx.model.effective(each.scope, "proxy_set_header")
    own = [node for node in headers if len(node.args) > 1 and node.args[0].lower() == "connection"]
    if not own:
        if modern:
            return "", None, None
        cause = headers[0] if headers else None
        why = "the Connection header is not cleared, so nginx sends close"
        if cause is not None and cause.parent is each.scope:
            why += "; proxy_set_header lines of this block drop the inherited ones"
        return why, cause, None
    value = own[-1].args[1]
    if value == "close" or value.lower() == "$http_connection":
        return f"the Connection header is {value}", own[-1], None
    if value.startswith("$"):
        values = ctx.model.possible_values(value, each.scope)
        if "close" in values.constants:
            return f"{value} is close for requests without Upgrade", own[-1], Confidence.MEDIUM
    return "", None, None
