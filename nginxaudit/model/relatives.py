"""Groups that resemble each other: by the servers they contain, and by how they are named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from nginxaudit.model.peer import Peer
from nginxaudit.model.upstream import Upstream

MIN_FAMILY = 3  # groups that make a naming pattern
_MAX_COMPARED = 64  # keeps a server that stands in thousands of groups from making this quadratic
_DIGITS = r"\d+"
_PARTS = r"[-_.]+"


class Relatives:
    """Indexes over the groups of one family."""

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        self._upstreams = upstreams

    @cached_property
    def _with_backup(self) -> dict[str, list[Upstream]]:
        """Groups that have a backup, by the addresses in them."""
        found: dict[str, list[Upstream]] = {}
        for upstream in self._upstreams:
            if upstream.backups:
                for address in _members(upstream):
                    found.setdefault(address, []).append(upstream)
        return found

    @cached_property
    def _same_servers(self) -> dict[frozenset[str], tuple[int, int]]:
        """How many groups with and without backup consist of exactly these addresses."""
        counts: dict[frozenset[str], tuple[int, int]] = {}
        for upstream in self._upstreams:
            members = _members(upstream)
            having, lacking = counts.get(members, (0, 0))
            marked = bool(upstream.backups)
            counts[members] = (having + marked, lacking + (not marked))
        return counts

    @cached_property
    def _patterns(self) -> dict[str, list[Upstream]]:
        found: dict[str, list[Upstream]] = {}
        for upstream in self._upstreams:
            if len(upstream.peers) > 1:
                for pattern in _name_patterns(upstream.key):
                    found.setdefault(pattern, []).append(upstream)
        return {pattern: groups for pattern, groups in found.items() if len(groups) >= MIN_FAMILY}

    @cached_property
    def _outliers(self) -> dict[Upstream, tuple[str, list[Upstream]]]:
        found: dict[Upstream, tuple[str, list[Upstream]]] = {}
        for pattern, groups in self._patterns.items():
            without = [upstream for upstream in groups if not upstream.backups]
            if len(without) == 1:
                found.setdefault(without[0], (pattern, groups))
        return found

    def sibling(self, upstream: Upstream) -> tuple[Upstream, tuple[Peer, ...]] | None:
        """Another group that contains all servers of this one and marks some of them ``backup``.

        Returned with the live servers of ``upstream`` that are backups over there.
        """
        if not self._with_backup:
            return None
        addresses = _members(upstream)
        groups = min((self._with_backup.get(address, []) for address in addresses), key=len, default=[])
        for other in groups[:_MAX_COMPARED]:
            if other is upstream or not addresses <= _members(other):
                continue
            waiting = {peer.normal_address for peer in other.backups}
            standby = tuple(
                peer for peer in upstream.peers if peer.is_live and peer.normal_address in waiting
            )
            if standby and len(standby) < len(upstream.peers):
                return other, standby
        return None

    def outnumbers_siblings(self, upstream: Upstream) -> bool:
        """Several groups of exactly these servers have no backup, as many as have one: that is no oversight."""
        having, lacking = self._same_servers[_members(upstream)]
        return lacking > 1 and lacking >= having

    def outlier(self, upstream: Upstream) -> tuple[str, list[Upstream]] | None:
        """Naming pattern (``app#``, ``shop-*``, ``*_ha``) of which this is the only group without backup."""
        return self._outliers.get(upstream)


def _members(upstream: Upstream) -> frozenset[str]:
    return frozenset(peer.normal_address for peer in upstream.peers)


def _name_patterns(name: str) -> set[str]:
    patterns = set()
    if re.search(_DIGITS, name):
        patterns.add(re.sub(_DIGITS, "#", name))
    parts = re.split(_PARTS, name)
    if len(parts) > 1:
        patterns.update((f"{parts[0]}-*", f"*-{parts[-1]}"))
    return patterns
