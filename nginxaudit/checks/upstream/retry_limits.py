"""Failures that no other server gets: lists without ``error`` or ``timeout``, tries and times that run out, unreachable backups.

Facts: ``ngx_http_upstream_next`` in src/http/ngx_http_upstream.c counts every failure, listed or not, and compares the
time since the first try with ``…_next_upstream_timeout`` before each further one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from msgspec import Struct

from nginxaudit import edits
from nginxaudit.checks.upstream.common import group_place, has_active_checks, peer_place, related_peers
from nginxaudit.checks.upstream.retries import Retries, groups, once, seconds
from nginxaudit.finding import Confidence, Edit, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, listed, whole
from nginxaudit.model import Model
from nginxaudit.model.retries import Retry, directive_of, is_written
from nginxaudit.model.upstream import Upstream
from nginxaudit.syntax.tree import Directive

_DEFAULT_READ_MS = 60_000
_LONG_LIVED_MS = 60_000  # a longer read timeout is for WebSockets, long polling and the like


def next_upstream_without_error(ctx: CheckContext) -> Iterable[Hit]:
    """A list of reasons that lacks the ones of a dead server; once for each list."""
    if not is_written(ctx.model, "next_upstream"):
        return
    seen: set[Directive] = set()
    for upstream, retries in groups(ctx):
        for retry in retries:
            node = retry.directive
            if node is None or node in seen or retry.off or retry.each.family != "http" or retry.tries == 1:
                continue
            missing = [word for word in ("error", "timeout") if word not in retry.conditions]
            if not missing or ctx.model.is_filled_in(node):
                continue
            seen.add(node)
            yield Hit(
                whole(node),
                f'"{upstream.name}": {_lost(missing)}, although another server is available',
                node,
                related=(("the upstream", group_place(upstream)),),
                severity=None if "error" in missing else Severity.INFO,
                confidence=None if "error" in missing else Confidence.MEDIUM,
                help=f"Add {' '.join(missing)} to the list: it replaces the default, which is error timeout.",
                make_fix=partial(_listed_too, node, missing),
            )


def _lost(missing: list[str]) -> str:
    if missing == ["error"]:
        return "a refused or reset connection is not retried"
    if missing == ["timeout"]:
        return "a server that does not respond is not retried elsewhere"
    return "refused, reset and timed-out requests are not retried"


def _listed_too(node: Directive, missing: list[str]) -> Edits:
    """The reasons that are missing, before those that are there."""
    return (edits.exchanged(node, node.args[0], f"{' '.join(missing)} {node.args[0]}"),)


# -- time and tries that run out


class _Wait(Struct, frozen=True):
    """How long one try at a server that does not answer takes, and what says so."""

    milliseconds: int
    name: str
    written: bool


def next_upstream_timeout_ineffective(ctx: CheckContext) -> Iterable[Hit]:
    """A limit that is used up by the first try."""
    if not any(is_written(ctx.model, name) for name in ("next_upstream_timeout", "next_upstream_tries")):
        return
    seen: set[Directive] = set()
    for upstream, retries in groups(ctx):
        for node, retry in once(retries, "next_upstream_timeout", ctx.model):
            if node in seen or not retry.after_timeout or not retry.budget:
                continue
            wait = next(
                (each for each in _waits(ctx.model, retry) if each.milliseconds >= retry.budget), None
            )
            if wait is not None:
                seen.add(node)
                yield _no_time(node, upstream, retry, wait)
        for node, retry in once(retries, "next_upstream_tries", ctx.model):
            if node in seen or retry.off or retry.tries != 1:
                continue
            seen.add(node)
            yield Hit(
                whole(node),
                f'{node.name} 1 disables retries on another server of "{upstream.name}"',
                node,
                why="The first try counts as well: a request that fails at one server fails.",
                related=(("the upstream", group_place(upstream)),),
                help="Allow 2 or more.",
            )


def _no_time(node: Directive, upstream: Upstream, retry: Retry, wait: _Wait) -> Hit:
    what = "a hung server" if "read" in wait.name else "connecting to an unreachable server"
    default = "" if wait.written else ", the default"
    sure = wait.written and wait.milliseconds <= _LONG_LIVED_MS
    return Hit(
        whole(node),
        f"{what} takes {seconds(wait.milliseconds)} ({wait.name}{default}): after {seconds(retry.budget)} no other server is tried",
        node,
        related=(("the upstream", group_place(upstream)),),
        severity=Severity.INFO if "read" in wait.name and not sure else None,
        help=f"Set {wait.name} to a part of this limit, or raise the limit.",
    )


def _waits(model: Model, retry: Retry) -> Iterator[_Wait]:
    """Connecting, then waiting for the response; what an unread block may set is left out."""
    scope = retry.each.scope
    name = directive_of(retry.each, "connect_timeout")
    if retry.connect_written or not model.may_be_set(scope, name):
        yield _Wait(retry.connect, name, retry.connect_written)
    if retry.each.family != "http":
        return  # nothing is tried again once a connection of stream is made
    name = directive_of(retry.each, "read_timeout")
    read = model.time_ms(scope, name, _DEFAULT_READ_MS)
    written = bool(model.effective(scope, name))
    if read is not None and (written or not model.may_be_set(scope, name)):
        yield _Wait(read, name, written)


# -- backups


def unreachable_backup(ctx: CheckContext) -> Iterable[Hit]:
    """Backups that can never take over, or never within one request."""
    for upstream, retries in groups(ctx, 1):
        if not upstream.backups or not upstream.live_primaries:
            continue
        if not upstream.live_backups:
            yield Hit(
                peer_place(upstream.backups[0]),
                f'every backup of "{upstream.name}" is marked down',
                upstream.backups[0].directive,
                related=related_peers("also down", upstream.backups[1:]),
                severity=Severity.WARNING,
                help="Remove down, or delete the line.",
                why="A server that is marked down never takes over: when the primaries fail, every request fails.",
            )
            continue
        yield from _cut_off(ctx.model, upstream, retries)


def _cut_off(model: Model, upstream: Upstream, retries: Retries) -> Iterator[Hit]:
    primaries = len(upstream.live_primaries)
    never = not any(peer.max_fails for peer in upstream.live_primaries)
    if never:
        yield from _never(model, upstream, retries)
    if primaries == 1:
        return
    literal = all(peer.is_literal for peer in upstream.live_primaries)
    if literal and all(0 < retry.tries <= primaries and not retry.off for retry in retries):
        yield Hit(
            peer_place(upstream.live_backups[0]),
            f"no request reaches {_names(upstream)}: the {primaries} primaries use up all {retries[0].tries} tries",
            upstream.live_backups[0].directive,
            related=(("used here", whole(retries[0].each.directive)),),
            severity=Severity.WARNING,
            confidence=Confidence.MEDIUM,
            help=f"Allow {primaries + 1} tries.",
            make_fix=partial(_one_more_try, upstream, model),
        )
    elif literal and not has_active_checks(model, upstream):
        yield from _too_late(model, upstream, retries)


def _names(upstream: Upstream) -> str:
    return listed([peer.text for peer in upstream.live_backups], 2)


def _never(model: Model, upstream: Upstream, retries: Retries) -> Iterator[Hit]:
    """No failure takes a primary out, and none lets its request go on."""
    backup = upstream.live_backups[0]
    if all(retry.off or retry.tries == 1 for retry in retries):
        why, what = "requests are not retried", "retries are disabled here"
    elif all(retry.off or retry.tries == 1 or not retry.after_error for retry in retries):
        why, what = "the list lacks error", "this list lacks error"
    else:
        return
    settings = [retry.directive for retry in retries if retry.directive]
    yield Hit(
        peer_place(backup),
        f"{_names(upstream)} can never take over: the primaries have max_fails=0, and {why}",
        backup.directive,
        related=tuple((what, whole(node)) for node in settings[:1]),
        help="Delete max_fails=0, or allow retries after error and timeout.",
        make_fix=partial(_one_more_try, upstream, model),
    )


def _too_late(model: Model, upstream: Upstream, retries: Retries) -> Iterator[Hit]:
    """Primaries that do not answer use up the time before the backup's turn."""
    primaries = len(upstream.live_primaries)
    found: list[tuple[Retry, _Wait]] = []
    for retry in retries:
        waits = list(_waits(model, retry)) if retry.budget and retry.after_timeout else []
        late = [each for each in waits if each.milliseconds < retry.budget <= primaries * each.milliseconds]
        if not late:
            return
        found.append((retry, late[0]))
    if not found:
        return
    retry, wait = found[0]
    backup = upstream.live_backups[0]
    default = "" if wait.written else ", the default"
    node = next(
        iter(model.effective(retry.each.scope, directive_of(retry.each, "next_upstream_timeout"))), None
    )
    yield Hit(
        peer_place(backup),
        f"no time is left for {_names(upstream)}: {primaries} hung primaries at {seconds(wait.milliseconds)} "
        f"({wait.name}{default}) use up {seconds(retry.budget)}",
        backup.directive,
        related=(("the limit", whole(node)),) if node is not None else (),
        severity=Severity.WARNING if wait.written else Severity.INFO,
        confidence=Confidence.MEDIUM,
        help=f"Set {wait.name} below {seconds(retry.budget // primaries)}, or raise the limit.",
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
