"""Passive failure detection: ``max_fails`` and ``fail_timeout`` of the servers of a group.

Facts: src/http/ngx_http_upstream_round_robin.c. A server is skipped while ``fails >= max_fails`` and
no more than ``fail_timeout`` seconds have passed; a group with one address is never skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.upstream.common import (
    connect_timeouts,
    has_active_checks,
    outage,
    parameter_place,
    peer_place,
    related_peers,
)
from nginxaudit.checks.upstream.retries import is_here, long_connects
from nginxaudit.finding import Confidence, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, MakeFix, Place, listed, whole
from nginxaudit.model.peer import Peer
from nginxaudit.model.retries import is_written
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx import parse_time_ms

_DEFAULT_FAIL_TIMEOUT = 10  # seconds
_NOT_RETRIED = (
    "A failed server keeps its share of the requests, and each of them fails, because errors are not retried."
)


def fail_timeout_zero(ctx: CheckContext) -> Iterable[Hit]:
    """``fail_timeout=0``: the pause ends with the clock second."""
    for upstream in _counting(ctx):
        peers = [
            peer
            for peer in upstream.peers
            if peer.fail_timeout == 0 and "fail_timeout" in peer.explicit and peer.max_fails and not peer.down
        ]
        if peers:
            deliberate = has_active_checks(ctx.model, upstream)
            yield _on_peers(
                peers,
                "fail_timeout",
                f"fail_timeout=0 skips {listed([peer.text for peer in peers])} only for the rest of the second after a failure",
                severity=Severity.INFO if deliberate else None,
            )


def fail_timeout_too_long(ctx: CheckContext) -> Iterable[Hit]:
    """An explicit pause far longer than an outage of one instance."""
    after_one = parse_time_ms(str(ctx.options["after-one-failure"])) / 1000
    after_many = parse_time_ms(str(ctx.options["after-several-failures"])) / 1000
    for upstream in _counting(ctx):
        peers = [
            peer
            for peer in upstream.peers
            if peer.fail_timeout > (after_one if peer.max_fails == 1 else after_many)
            and "fail_timeout" in peer.explicit
            and peer.max_fails
            and not peer.down
        ]
        if peers and not has_active_checks(ctx.model, upstream):
            worst = max(peers, key=lambda peer: peer.fail_timeout)
            failures = "one failure marks" if worst.max_fails == 1 else f"{worst.max_fails} failures mark"
            excused = bool(upstream.backups) or upstream.family == "stream"
            yield _on_peers(
                peers,
                "fail_timeout",
                f"{failures} {worst.text} unavailable for {_seconds(worst.fail_timeout)}, "
                "even if it recovers at once",
                severity=Severity.INFO if excused else None,
            )


def fail_timeout_too_short(ctx: CheckContext) -> Iterable[Hit]:
    """An explicit pause shorter than the connect timeout that every probe of a hung host costs."""
    chosen = is_written(ctx.model, "connect_timeout")
    for upstream in _counting(ctx):
        paused = [
            peer
            for peer in upstream.peers
            if (chosen or 0 < peer.fail_timeout < _DEFAULT_FAIL_TIMEOUT)
            and "fail_timeout" in peer.explicit
            and peer.max_fails
            and not peer.down
            and not is_here(peer)
        ]
        if not paused or has_active_checks(ctx.model, upstream):
            continue
        timeouts = list(connect_timeouts(ctx.model, upstream))
        if not timeouts:
            continue
        each, smallest, written = min(timeouts, key=lambda entry: entry[1])
        peers = [
            peer
            for peer in paused
            if 0 < peer.fail_timeout * 1000 < smallest
            and (written or peer.fail_timeout < _DEFAULT_FAIL_TIMEOUT)  # two defaults are every configuration
        ]
        if peers:
            retry = ctx.model.retry(each)
            yield _on_peers(
                peers,
                "fail_timeout",
                f"fail_timeout={_seconds(peers[0].fail_timeout)} is shorter than the connect timeout of "
                f"{_seconds(smallest / 1000)}: if the host drops packets, some "
                "requests always hang on it",
                related=(("requests reach the upstream from here", whole(each.directive)),),
                cause=long_connects(ctx, retry) if retry is not None else "",
            )


def max_fails_zero(ctx: CheckContext) -> Iterable[Hit]:
    """``max_fails=0``: failures are never counted."""
    for upstream in _counting(ctx):
        zero = [peer for peer in upstream.peers if peer.max_fails == 0 and not peer.down]
        if not zero or has_active_checks(ctx.model, upstream):
            continue
        live = [peer for peer in upstream.peers if not peer.down]
        if len(live) < 2:
            continue
        decision = len(zero) == len(live) and not upstream.backups
        yield _on_peers(
            zero,
            "max_fails",
            f"max_fails=0 never marks {listed([peer.text for peer in zero])} unavailable, however often requests fail",
            severity=Severity.INFO if decision else None,
            why="" if _retries(ctx, upstream) else _NOT_RETRIED,
            make_fix=None if decision else partial(_without, zero, "max_fails"),
        )


def _retries(ctx: CheckContext, upstream: Upstream) -> bool:
    """Whether a request of some pass goes on after an error."""
    passes = ctx.model.passes_to(upstream)
    return not passes or any((retry := ctx.model.retry(each)) is None or retry.after_error for each in passes)


def ignored_failure_parameters(ctx: CheckContext) -> Iterable[Hit]:
    """Failure parameters on the only server of a group: nginx does not count its failures."""
    for upstream in ctx.model.all_upstreams:
        single = upstream.is_single_peer
        if single is False or len(upstream.peers) != 1 or upstream.dynamic:
            continue
        peer = upstream.peers[0]
        names = [name for name in ("max_fails", "fail_timeout", "slow_start") if name in peer.explicit]
        if not names:
            continue
        condition = "" if single else " if the name has one address"
        yield Hit(
            parameter_place(peer, *names),
            f"{listed(names)} {'has' if len(names) == 1 else 'have'} no effect{condition}: "
            f'{peer.text} is the only server of "{upstream.name}"',
            peer.directive,
            confidence=None if single else Confidence.LOW,
            make_fix=partial(_without, [peer], "max_fails", "fail_timeout", "slow_start") if single else None,
        )


def lone_live_server(ctx: CheckContext) -> Iterable[Hit]:
    """One live server among ``down`` ones: it is not *single* to nginx, so one failure blocks it."""
    for upstream in _counting(ctx):
        live = upstream.live_primaries
        if len(live) != 1 or upstream.live_backups or any(peer.drain for peer in upstream.peers):
            continue
        down = [peer for peer in upstream.primaries if peer.down]
        if not down:
            continue
        peer = live[0]
        if peer.max_fails == 0 or peer.resolve:
            continue
        yield Hit(
            peer_place(peer),
            f'{_times(peer.max_fails)} of the only usable server of "{upstream.name}", {outage(upstream)} '
            f"for {_seconds(peer.fail_timeout)}",
            peer.directive,
            related=related_peers("marked down", down),
            confidence=Confidence.LOW if peer.is_hostname else None,
            help=f"Add max_fails=0 to {peer.text}, or delete the lines marked down.",
            make_fix=partial(_never_blocked, peer) if peer.is_literal else None,
        )


def _never_blocked(peer: Peer) -> Edits:
    """``max_fails=0`` on the only live server."""
    written = peer.parameter("max_fails")
    if written is None:
        return (edits.appended(peer.directive, "max_fails=0"),)
    return (edits.exchanged(peer.directive, written.token, "max_fails=0"),)


# -- pieces


def _counting(ctx: CheckContext) -> Iterator[Upstream]:
    """Groups whose servers are known and in which nginx counts failures."""
    for upstream in ctx.model.all_upstreams:
        if upstream.external or not upstream.complete or not upstream.peers:
            continue
        if upstream.is_single_peer or (len(upstream.peers) == 1 and not upstream.dynamic):
            continue  # ignored_failure_parameters speaks of these
        yield upstream


def _on_peers(
    peers: list[Peer],
    parameter: str,
    message: str,
    *,
    severity: Severity | None = None,
    related: tuple[tuple[str, Place], ...] = (),
    make_fix: MakeFix | None = None,
    cause: str = "",
    why: str = "",
) -> Hit:
    """One hit for all ``peers``: on the first, with the others beside it."""
    first, *others = peers
    places = tuple(("also here", parameter_place(peer, parameter)) for peer in others)
    return Hit(
        parameter_place(first, parameter),
        message,
        first.directive,
        severity=severity,
        related=(*places, *related),
        make_fix=make_fix,
        cause=cause,
        why=why,
    )


def _without(peers: list[Peer], *names: str) -> Edits:
    """Parameters taken out of all ``peers``."""
    return tuple(
        edits.without(peer.directive, each.token)
        for peer in peers
        for each in peer.parameters
        if each.name in names
    )


def _seconds(value: float) -> str:
    return f"{value:g}s"


def _times(count: int) -> str:
    return "after one failure" if count == 1 else f"after {count} failures"
