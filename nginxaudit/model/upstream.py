"""``upstream`` groups: their servers, their balancing method, and what that means for failures."""

from __future__ import annotations

from functools import lru_cache
from itertools import compress

from nginxaudit.model.peer import Peer, parse_peer
from nginxaudit.syntax.tree import Directive

METHODS = ("hash", "ip_hash", "least_conn", "least_time", "random")
"""Balancing methods of nginx besides round robin."""

WITHOUT_BACKUP = frozenset({"hash", "ip_hash", "random"})
"""Methods that do not support ``backup`` servers."""

_OTHER_METHODS = frozenset(
    {
        "consistent_hash",
        "fair",
        "fewest_conn",
        "hash_again",
        "jvm_route",
        "session_sticky",
        "upstream_hash",
        "upstream_fair",
    }
)
"""Directives of third-party modules that choose servers. An unknown directive is not a method."""
_LUA_BALANCER = "balancer_by_lua"
_CHECKS = ("check", "healthcheck")  # Tengine and others: active checks inside the group


class Upstream:
    """One ``upstream`` block. ``family`` is http or stream.

    ``complete`` is False when an include inside it could not be read, or a template engine is still
    to fill in servers: servers and settings may be missing then.

    ``peers`` are its ``server`` lines in order: the ``primaries``, and the ``backups``; ``live_…`` are those that
    take new requests, ``live`` is their number. ``methods`` are all directives that choose a balancing method, in order, those of
    unknown modules too. ``external``: its servers come from somewhere else: a state file, SRV records, Lua.
    ``dynamic``: the set of addresses is not fixed by this text, even apart from names resolved at start.
    ``by_lua``: code chooses the server of every request. ``own_checks``: directives of other modules inside it (Tengine's) probe its servers.
    """

    # Two dozen rules ask every group for these: each is found out once.
    __slots__ = (
        "backups", "by_lua", "complete", "directive", "dynamic", "external", "family", "is_single_peer", "key",
        "live", "live_backups", "live_primaries", "methods", "name", "own_checks", "peers", "primaries",
    )  # fmt: skip

    def __init__(
        self, directive: Directive, family: str, *, complete: bool = True, edition: str = "oss"
    ) -> None:
        self.directive = directive
        self.family = family
        self.complete = complete
        self.name = str(directive.args[0]) if directive.args else ""
        self.key = self.name.lower()
        self.peers = tuple([parse_peer(line, family, edition) for line in directive.named("server")])
        self.backups = tuple([peer for peer in self.peers if peer.backup])
        self.primaries = (
            tuple([peer for peer in self.peers if not peer.backup]) if self.backups else self.peers
        )
        self.live_primaries = _live(self.primaries)
        self.live_backups = _live(self.backups)
        self.live = len(self.live_primaries) + len(self.live_backups)
        roles = [_role(child.name) for child in directive.children]
        self.methods = tuple(compress(directive.children, [role == "method" for role in roles]))
        self.own_checks = "check" in roles
        self.by_lua = any(method.name.startswith(_LUA_BALANCER) for method in self.methods)
        self.external = self.by_lua or self.state is not None or any(peer.service for peer in self.peers)
        self.dynamic = not complete or self.external or any(peer.resolve for peer in self.peers)
        self.is_single_peer = _is_single(self)

    # -- settings

    @property
    def method_directive(self) -> Directive | None:
        """The one that counts: nginx takes the last."""
        return self.methods[-1] if self.methods else None

    @property
    def method(self) -> str:
        """``round_robin``, one of `METHODS`, or ``unknown`` for one of another module."""
        chosen = self.method_directive
        if chosen is None:
            return "round_robin"
        return str(chosen.name) if chosen.name in METHODS else "unknown"

    @property
    def zone(self) -> Directive | None:
        """Its shared memory."""
        return self.directive.first("zone")

    @property
    def keepalive(self) -> Directive | None:
        """Its pool of idle connections, if written."""
        return self.directive.first("keepalive")

    @property
    def sticky(self) -> Directive | None:
        """Its session affinity."""
        return self.directive.first("sticky")

    @property
    def state(self) -> Directive | None:
        """The file that holds its servers (NGINX Plus)."""
        return self.directive.first("state")

    @property
    def resolver(self) -> Directive | None:
        """Its own resolver; without one that of http or stream counts."""
        return self.directive.first("resolver")

    def __repr__(self) -> str:
        return f"<upstream {self.name}>"


def _live(peers: tuple[Peer, ...]) -> tuple[Peer, ...]:
    """Those of ``peers`` that take new requests: mostly all."""
    live = [peer for peer in peers if not peer.down and not peer.drain]
    return peers if len(live) == len(peers) else tuple(live)


def _is_single(upstream: Upstream) -> bool | None:
    """Whether nginx sets its *single* flag; None if that depends on DNS or on unread files.

    The flag is set for exactly one primary *address*, live or not, and no backup address
    (``ngx_http_upstream_init_round_robin``). Such a group ignores ``max_fails`` and
    ``fail_timeout``: its server is never taken out.
    """
    if len(upstream.primaries) > 1:
        return False
    if upstream.external or not upstream.complete:
        return None
    if any(not backup.is_hostname or not backup.resolve for backup in upstream.backups):
        return False
    if not upstream.primaries or upstream.backups:
        return None if upstream.primaries else False
    return True if upstream.primaries[0].is_literal else None


@lru_cache(maxsize=1024)
def _role(name: str) -> str:
    """What a directive of a group does: ``method``, ``check`` or nothing of interest."""
    if name in METHODS or name in _OTHER_METHODS or name.startswith(_LUA_BALANCER):
        return "method"
    if name.startswith(_CHECKS):
        return "check"
    return ""
