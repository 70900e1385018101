"""How long a server that does not answer holds a request: connect timeouts, and timeouts of zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.upstream.common import group_place
from nginxaudit.checks.upstream.retries import groups, long_connects, once, seconds, slow_servers
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Edits, Hit, listed, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.retries import CONNECT_LIMIT_MS, Retry, directive_of
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx import parse_time_ms
from nginxaudit.nginx.names import EXCHANGING
from nginxaudit.syntax.tree import Directive

_SLOW_MS = 15_000


_REMEDY = "Set {} to 2s to 5s: within one network a connection takes milliseconds."
_CONNECT_TIMEOUT = "5s"
"""The longest that makes sense inside one network."""


def failover_slower_than_client(ctx: CheckContext) -> Iterable[Hit]:
    """Dead servers cost a request more time than a client waits; once for the setting that explains it."""
    budget = parse_time_ms(str(ctx.options["budget"]))
    causes: dict[tuple[str, Directive | None], list[tuple[int, Upstream, Retry]]] = {}
    for upstream, retries in groups(ctx):
        waiting = {
            each: each.worst_connect(slow_servers(upstream, each)) for each in retries if each.after_timeout
        }
        if not waiting:
            continue
        retry, worst = max(waiting.items(), key=lambda entry: entry[1])
        if worst > budget:
            cause = (directive_of(retry.each, "connect_timeout"), retry.connect_directive)
            causes.setdefault(cause, []).append((worst, upstream, retry))
    for (name, node), found in causes.items():
        if node is not None:
            yield _slow(ctx, name, node, found)
        else:
            yield from (_slow_by_default(ctx, name, *each) for each in found)


def _slow(ctx: CheckContext, name: str, node: Directive, found: list[tuple[int, Upstream, Retry]]) -> Hit:
    worst, _, retry = max(found, key=lambda each: each[0])
    groups = listed([f'"{group.name}"' for _, group, _ in found])
    return Hit(
        whole(node),
        f"failover to another server of {groups} can take {seconds(worst)} ({name} {seconds(retry.connect)})",
        node,
        related=tuple(("the upstream", group_place(group)) for _, group, _ in found),
        help=_REMEDY.format(name),
        make_fix=partial(_shortened, node),
        cause=long_connects(ctx, retry),
    )


def _slow_by_default(ctx: CheckContext, name: str, worst: int, upstream: Upstream, retry: Retry) -> Hit:
    model = ctx.model
    hit = Hit(
        group_place(upstream),
        f'failover to another server of "{upstream.name}" can take {seconds(worst)} (default {name})',
        upstream.directive,
        related=(("used here", whole(retry.each.directive)),),
        severity=Severity.INFO,
        help=_REMEDY.format(name),
        make_fix=partial(_set_for_all, upstream, model),
        cause=long_connects(ctx, retry),
    )
    return unless(model.may_be_set(retry.each.scope, name), "a block around it sets that", hit)


def _shortened(node: Directive) -> Edits:
    """A connect timeout of some seconds in the line that is too long."""
    too_long = len(node.args) == 1 and parse_time_ms(node.args[0]) > parse_time_ms(_CONNECT_TIMEOUT)
    return (edits.exchanged(node, node.args[0], _CONNECT_TIMEOUT),) if too_long else None


def _set_for_all(upstream: Upstream, model: Model) -> Edits:
    """A connect timeout of some seconds for the whole family, where none is written."""
    family = model.enclosing(upstream.directive, upstream.family)
    names = {
        name
        for each in model.passes_to(upstream)
        if not model.effective(each.scope, name := directive_of(each, "connect_timeout"))
    }
    if family is None or len(names) != 1:
        return None
    return (edits.first_in(family, f"{names.pop()} {_CONNECT_TIMEOUT};"),)


def connect_timeout_too_long(ctx: CheckContext) -> Iterable[Hit]:
    """A connect timeout that the kernel does not wait for, or that holds up the change to another server."""
    timeouts = list(_timeouts(ctx, "connect"))
    if not timeouts:
        return
    budget = parse_time_ms(str(ctx.options["budget"]))
    delaying = {
        node: upstream
        for upstream, retries in groups(ctx)
        for node, retry in once(retries, "connect_timeout", ctx.model)
        if retry.connect > _SLOW_MS and retry.worst_connect(upstream.live) <= budget
    }
    for node, value in timeouts:
        if value > CONNECT_LIMIT_MS:
            yield Hit(
                whole(node),
                f"Linux gives up connecting after about {seconds(CONNECT_LIMIT_MS)}; {seconds(value)} is never reached",
                node,
                why="The kernel ends the attempt first (net.ipv4.tcp_syn_retries), and until then no other server is tried.",
                help="Use 2s to 5s within one network.",
            )
        elif node in delaying:
            yield Hit(
                whole(node),
                f'a server of "{delaying[node].name}" that drops packets delays each of its requests by {seconds(value)}',
                node,
                related=(("the upstream", group_place(delaying[node])),),
                help="Use 2s to 5s within one network.",
            )


def zero_timeout(ctx: CheckContext) -> Iterable[Hit]:
    """0 is not "no limit" here: the timer fires at once."""
    for kind in ("connect", "read", "send"):
        for node, value in _timeouts(ctx, kind):
            if value == 0:
                effect = "a write that blocks fails" if kind == "send" else "every request fails"
                yield Hit(
                    whole(node),
                    f'"{node.name} 0" expires at once: {effect} with 504',
                    node,
                    severity=Severity.WARNING if kind == "send" else None,
                    help="Write a long time, such as 1h, if no limit is wanted.",
                )
    for name, effect in _OF_CLIENTS.items():
        for node in ctx.model.config.named(name):
            if node.args and _milliseconds(node.args[0]) == 0:
                yield Hit(
                    whole(node),
                    f'"{name} 0" expires at once: {effect}',
                    node,
                    severity=Severity.WARNING,
                    help="Write a long time, such as 1h, if no limit is wanted.",
                )


_OF_CLIENTS = {
    "client_header_timeout": "requests are not read",
    "client_body_timeout": "a body that arrives in parts ends with 408",
    "send_timeout": "a response that takes several writes is cut",
}
"""Timeouts towards clients, and what 0 does to them."""


def _milliseconds(text: str) -> int | None:
    try:
        return parse_time_ms(text)
    except ValueError:
        return None


def _timeouts(ctx: CheckContext, kind: str) -> Iterator[tuple[Directive, int]]:
    for protocol in EXCHANGING:
        for node in ctx.model.config.named(f"{protocol}_{kind}_timeout"):
            if ctx.model.family_of(node) != "http":
                continue
            try:
                yield node, parse_time_ms(node.args[0]) if node.args else 1
            except ValueError:
                continue
