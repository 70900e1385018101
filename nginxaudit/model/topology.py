"""What kind of load balancing a group does, and what its author declared it to do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from nginxaudit.model.comments import annotation
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Comment

if TYPE_CHECKING:
    from nginxaudit.model.model import Model
    from nginxaudit.model.upstream import Upstream

ACTIVE_ACTIVE = "active-active"
ACTIVE_PASSIVE = "active-passive"
DECLARABLE = (ACTIVE_ACTIVE, ACTIVE_PASSIVE)
"""Topologies that a comment or a setting can declare."""

_DECLARED = r"\btopology\s*=\s*([A-Za-z_-]+)"


class TopologyKind(Enum):
    """How the servers of a group share the work."""

    SINGLE = "single"  # one server takes everything and nothing stands behind it
    ACTIVE_ACTIVE = "active-active"
    ACTIVE_ACTIVE_HEALTH_CHECKS = "active-active with health checks"
    ACTIVE_PASSIVE = "active-passive"  # primaries, and backups that wait
    ALL_DOWN = "all down"
    NO_PRIMARY = "no primary"  # only backups: nginx refuses the group
    EMPTY = "empty"
    EXTERNAL = "external"  # state file, SRV records or code decide
    UNKNOWN = "unknown"  # a file with servers could not be read


class Declaration(Struct, frozen=True):
    """What an author says a group is. ``comment`` is None when the settings say it.

    ``valid`` is False for a word that is not in `DECLARABLE`; such a declaration has no effect.
    """

    topology: str
    origin: str  # "comment" or "settings"
    comment: Comment | None = None

    @property
    def valid(self) -> bool:
        """One of the topologies that can be declared."""
        return self.topology in DECLARABLE


class Topology(Struct, frozen=True):
    """Topology of one group. ``declared_by`` is ``comment`` or ``settings``."""

    kind: TopologyKind
    primaries: int  # live ones, in servers as written
    backups: int
    health_checks: bool
    declared: str | None = None
    declared_by: str | None = None


def topology(upstream: Upstream, model: Model) -> Topology:
    """What ``upstream`` is by its servers and by the health checks of those who use it."""
    declared = model.declaration(upstream)
    checks = has_health_checks(upstream, model)
    return Topology(
        kind=_kind(upstream, checks),
        primaries=len(upstream.live_primaries),
        backups=len(upstream.live_backups),
        health_checks=checks,
        declared=declared.topology if declared and declared.valid else None,
        declared_by=declared.origin if declared and declared.valid else None,
    )


def _kind(upstream: Upstream, checks: bool) -> TopologyKind:
    if upstream.external:
        return TopologyKind.EXTERNAL
    if not upstream.complete:
        return TopologyKind.UNKNOWN
    if not upstream.peers:
        return TopologyKind.EMPTY
    if not upstream.primaries:
        return TopologyKind.NO_PRIMARY
    if upstream.live_backups:
        return TopologyKind.ACTIVE_PASSIVE
    live = len(upstream.live_primaries)
    if live == 0:
        return TopologyKind.ALL_DOWN
    if live == 1:
        return TopologyKind.SINGLE
    return TopologyKind.ACTIVE_ACTIVE_HEALTH_CHECKS if checks else TopologyKind.ACTIVE_ACTIVE


def has_health_checks(upstream: Upstream, model: Model) -> bool:
    """Whether something probes the servers on its own, not only with the requests of clients.

    ``health_check`` counts in the location (in stream the server) that passes to the group.
    """
    if upstream.own_checks:
        return True
    if not model.config.named("health_check"):
        return False
    return any(each.scope.first("health_check") is not None for each in model.passes_to(upstream))


def find_declaration(upstream: Upstream, model: Model) -> Declaration | None:
    """``# nginxaudit: topology=…`` on the group's line, above it or inside it; else the settings."""
    block = upstream.directive
    comments = model.comments
    beside = comments.same_line(block)
    places = [*([beside] if beside else []), *comments.block_above(block), *comments.inside(block)]
    for comment in places:
        text = annotation(comment)
        found = compiled(_DECLARED).search(text) if text else None
        if found:
            return Declaration(_normal(found[1]), "comment", comment)
    setting = _setting(upstream.name, model.topologies)
    return Declaration(_normal(setting), "settings") if setting else None


def _setting(name: str, topologies: Mapping[str, str]) -> str | None:
    """Setting for a group: its very name (any case) first, then the first pattern that fits."""
    key = name.lower()
    exact = {pattern.lower(): value for pattern, value in topologies.items()}
    if key in exact:
        return exact[key]
    return next((value for pattern, value in exact.items() if fnmatchcase(key, pattern)), None)


def _normal(word: str) -> str:
    return word.lower().replace("_", "-")
