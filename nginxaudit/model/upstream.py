"""``upstream`` groups: their servers, their balancing method, and what that means for failures."""

from __future__ import annotations

from functools import cached_property

from nginxaudit.model.peer import Peer, parse_peer
from nginxaudit.nginx import facts_for
from nginxaudit.syntax.tree import Directive

METHODS = ("hash", "ip_hash", "least_conn", "least_time", "random")
"""Balancing methods of nginx besides round robin."""

WITHOUT_BACKUP = frozenset({"hash", "ip_hash", "random"})
"""Methods that do not support ``backup`` servers."""

# Directives of third-party modules that stand in a group and do not choose servers.
_NO_METHOD = ("check", "healthcheck", "dynamic_resolve", "keepalive", "zone", "server", "include")
_LUA_BALANCER = "balancer_by_lua"


class Upstream:
    """One ``upstream`` block. ``family`` is http or stream.

    ``complete`` is False when an include inside it could not be read, or a template engine is still
    to fill in servers: servers and settings may be missing then.
    """

    def __init__(self, directive: Directive, family: str, *, complete: bool = True) -> None:
        self.directive = directive
        self.family = family
        self.complete = complete
        self.name = str(directive.args[0]) if directive.args else ""
        self.key = self.name.lower()

    @cached_property
    def peers(self) -> tuple[Peer, ...]:
        """Its ``server`` lines in order."""
        return tuple(parse_peer(line, self.family) for line in self.directive.named("server"))

    # -- settings

    @cached_property
    def methods(self) -> tuple[Directive, ...]:
        """All directives that choose a balancing method, in order, those of unknown modules too."""
        return tuple(child for child in self.directive.children if _chooses(child))

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

    # -- servers

    @cached_property
    def primaries(self) -> tuple[Peer, ...]:
        """Servers without ``backup``."""
        return tuple(peer for peer in self.peers if not peer.backup)

    @cached_property
    def backups(self) -> tuple[Peer, ...]:
        """Servers with ``backup``."""
        return tuple(peer for peer in self.peers if peer.backup)

    @property
    def live_primaries(self) -> tuple[Peer, ...]:
        """Primaries that take new requests."""
        return tuple(peer for peer in self.primaries if peer.is_live)

    @property
    def live_backups(self) -> tuple[Peer, ...]:
        """Backups that take new requests."""
        return tuple(peer for peer in self.backups if peer.is_live)

    @cached_property
    def external(self) -> bool:
        """Its servers come from somewhere else: a state file, SRV records, Lua."""
        lua = any(child.name.startswith(_LUA_BALANCER) for child in self.directive.children)
        return lua or self.state is not None or any(peer.service for peer in self.peers)

    @cached_property
    def dynamic(self) -> bool:
        """The set of addresses is not fixed by this text, even apart from names resolved at start."""
        return not self.complete or self.external or any(peer.resolve for peer in self.peers)

    @property
    def is_single_peer(self) -> bool | None:
        """Whether nginx sets its *single* flag; None if that depends on DNS or on unread files.

        The flag is set for exactly one primary *address*, live or not, and no backup address
        (``ngx_http_upstream_init_round_robin``). Such a group ignores ``max_fails`` and
        ``fail_timeout``: its server is never taken out.
        """
        if len(self.primaries) > 1:
            return False
        if self.external or not self.complete:
            return None
        if any(not backup.is_hostname or not backup.resolve for backup in self.backups):
            return False
        if not self.primaries or self.backups:
            return None if self.primaries else False
        return True if self.primaries[0].is_literal else None

    def __repr__(self) -> str:
        return f"<upstream {self.name}>"


def _chooses(child: Directive) -> bool:
    """Whether a directive of a group replaces its balancing method.

    A directive that no known module has may do so.
    """
    if child.name in METHODS or child.name.startswith(_LUA_BALANCER):
        return True
    return not child.name.startswith(_NO_METHOD) and not facts_for(child.name, child.context)
