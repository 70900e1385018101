"""What several checks of upstream groups need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.hit import Place, arg, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.peer import Peer
from nginxaudit.model.retries import DEFAULT_CONNECT_MS, directive_of
from nginxaudit.model.topology import has_health_checks
from nginxaudit.model.upstream import Upstream

AUTHORITY = r"[\"']?(?:[A-Za-z]+://)?(?P<host>[^:/?\"'$]+)(?P<port>:\d+)?"
"""Host and port of the target of a pass, as it is written."""


def outage(upstream: Upstream) -> str:
    """What a client sees when no server of ``upstream`` may be tried."""
    return "every request gets 502" if upstream.family == "http" else "every connection is closed at once"


def group_place(upstream: Upstream) -> Place:
    """``upstream NAME``."""
    return whole(upstream.directive)


def peer_place(peer: Peer) -> Place:
    """The whole ``server`` line."""
    return whole(peer.directive)


def parameter_place(peer: Peer, *names: str) -> Place:
    """The first of the parameters ``names`` that is written, else the whole line."""
    found = (parameter for name in names if (parameter := peer.parameter(name)) is not None)
    parameter = next(found, None)
    return arg(peer.directive, parameter.token) if parameter else peer_place(peer)


def related_peers(word: str, peers: Iterable[Peer]) -> tuple[tuple[str, Place], ...]:
    """The lines of ``peers`` as related places."""
    return tuple((word, peer_place(peer)) for peer in peers)


def connect_timeouts(model: Model, upstream: Upstream) -> Iterator[tuple[Pass, int, bool]]:
    """For every pass to ``upstream``: its connect timeout in milliseconds, if known, and whether it is written."""
    for each in model.passes_to(upstream):
        name = directive_of(each, "connect_timeout")
        value = model.time_ms(each.scope, name, DEFAULT_CONNECT_MS)
        written = bool(model.effective(each.scope, name))
        if value is not None and (written or not model.may_be_set(each.scope, name)):
            yield each, value, written


def has_active_checks(model: Model, upstream: Upstream) -> bool:
    """Something probes the servers on its own, so passive accounting matters less."""
    return has_health_checks(upstream, model)
