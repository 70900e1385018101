"""What a group seems to be meant to be: active-passive or active-active, with the evidence.

Every piece of evidence has a weight; they add up, at most to 1. At `THRESHOLD` a group counts as
meant to be active-passive.

==================  ======  ==============================================================
declared            1.0     a comment ``# nginxaudit: topology=…`` or a setting
roles               1.0     it has ``backup`` servers
sibling             0.8     another group has the same servers and marks some ``backup``;
                    0.5     where that group has more servers
                    0.4     where several groups of these servers have none
words               0.7     some servers, not all, carry a standby word
file (explicit)     0.65    the file is called ``active-passive``
name, file          0.2     words such as ``ha`` or ``failover``; together at most 0.3
hints               0.3     one of two servers ``down``; weights of 50:1; the odd one of a series
==================  ======  ==============================================================

So a name alone never decides, nor does one hint; a hint is worth an information by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from nginxaudit.model.suppressors import suppressors
from nginxaudit.model.topology import ACTIVE_ACTIVE, ACTIVE_PASSIVE
from nginxaudit.model.words import Mention, file_stem, mentions, promises_failover, says
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Comment, Directive, Token

if TYPE_CHECKING:
    from nginxaudit.model.model import Model
    from nginxaudit.model.peer import Peer
    from nginxaudit.model.upstream import Upstream

THRESHOLD = 0.6
EXTREME_WEIGHTS = 50  # largest to smallest weight from which the small one looks like a standby
_MAX_WEAK = 0.3


class Evidence(Struct, frozen=True):
    """One reason to believe in an intent, as a sentence for people, and the text that shows it.

    ``kind``: declared, roles, sibling, words, file, name, cold-standby, weights or outlier.
    ``start`` and ``end`` are offsets into ``source``.
    """

    kind: str
    text: str
    weight: float
    source: SourceText
    start: int
    end: int
    via: Directive | None = None

    @property
    def is_hint(self) -> bool:
        """Worth an information when nothing stronger is there."""
        return self.kind in ("cold-standby", "weights", "outlier")

    @property
    def is_weak(self) -> bool:
        """Only adds to other evidence."""
        return self.kind in ("name", "file") and self.weight < THRESHOLD


class Intent(Struct, frozen=True):
    """What a group is meant to be.

    ``kind`` is ``active-passive``, ``active-active`` or None (the evidence does not suffice).
    ``standby`` are the servers that the evidence points at. ``suppressed`` lists, as sentences,
    why a missing ``backup`` is all right, where one seems to be missing.
    """

    kind: str | None
    score: float
    evidence: tuple[Evidence, ...] = ()
    standby: tuple[Peer, ...] = ()
    suppressed: tuple[str, ...] = ()

    @property
    def declared(self) -> bool:
        """The author says so; nothing is guessed."""
        return any(each.kind == "declared" for each in self.evidence)

    @property
    def hints(self) -> tuple[Evidence, ...]:
        """Evidence worth an information by itself."""
        return tuple(each for each in self.evidence if each.is_hint)

    @property
    def missing_backup(self) -> bool:
        """Meant to be active-passive, without a backup server, and without an excuse."""
        has_roles = any(each.kind == "roles" for each in self.evidence)
        return self.kind == ACTIVE_PASSIVE and not has_roles and not self.suppressed


def infer_intent(upstream: Upstream, model: Model) -> Intent:
    """Weigh the evidence for one group."""
    declared = model.declaration(upstream)
    if declared and declared.valid:
        evidence = _declared(upstream, declared.topology, declared.comment)
        roles = tuple(_roles(upstream)) if declared.topology == ACTIVE_PASSIVE else ()
        standby = upstream.backups or _worded(upstream, model)[0]
        suppressed = () if upstream.backups else tuple(suppressors(upstream, model))
        return Intent(declared.topology, 1.0, (evidence, *roles), standby, suppressed)
    if upstream.backups:
        return Intent(ACTIVE_PASSIVE, 1.0, tuple(_roles(upstream)), upstream.backups)
    if _says_active_active(upstream):
        return Intent(ACTIVE_ACTIVE, 1.0, (_named(upstream),))
    standby, worded = _worded(upstream, model)
    sibling_standby, sibling = _sibling(upstream, model)
    found = (*sibling, *worded, *_file(upstream), *_name(upstream), *_hints(upstream, model))
    score = _score(found)
    kind = ACTIVE_PASSIVE if score >= THRESHOLD else None
    suspected = kind is not None or any(each.is_hint for each in found)
    suppressed = tuple(suppressors(upstream, model)) if suspected else ()
    return Intent(kind, score, found, sibling_standby or standby, suppressed)


def _score(found: tuple[Evidence, ...]) -> float:
    weak = min(_MAX_WEAK, sum(each.weight for each in found if each.is_weak))
    # Several servers with a standby word are one observation, not several.
    words = max((each.weight for each in found if each.kind == "words"), default=0.0)
    rest = sum(each.weight for each in found if each.kind != "words" and not each.is_weak)
    return round(min(1.0, weak + words + rest), 3)


def _at(
    place: Directive | Token | Comment, directive: Directive, kind: str, text: str, weight: float
) -> Evidence:
    if isinstance(place, Directive):
        end = place.args[-1].end if place.args else place.name_end
        return Evidence(kind, text, weight, place.source, place.start, end, place.via)
    source = place.source if isinstance(place, Comment) else directive.source
    return Evidence(kind, text, weight, source, place.start, place.end, directive.via)


def _declared(upstream: Upstream, topology: str, comment: Comment | None) -> Evidence:
    block = upstream.directive
    if comment is None:
        text = f'the settings declare "{upstream.name}" to be {topology}'
        return _at(block, block, "declared", text, 1.0)
    return _at(comment, block, "declared", f"a comment declares the upstream {topology}", 1.0)


def _roles(upstream: Upstream) -> Iterator[Evidence]:
    for peer in upstream.backups:
        yield _at(peer.directive, peer.directive, "roles", f'{peer.text} is marked "backup"', 1.0)


def _says_active_active(upstream: Upstream) -> bool:
    names = (upstream.name, file_stem(upstream.directive.source.path))
    return any(says(name, "active", "active") for name in names)


def _named(upstream: Upstream) -> Evidence:
    block = upstream.directive
    if says(upstream.name, "active", "active"):
        return _at(block, block, "name", f'the upstream is named "{upstream.name}"', 1.0)
    stem = file_stem(block.source.path)
    return _at(block, block, "file", f'the file is named "{stem}"', 1.0)


def _worded(upstream: Upstream, model: Model) -> tuple[tuple[Peer, ...], tuple[Evidence, ...]]:
    """Servers with a standby word, if others have none, and the evidence.

    A word that every server carries is a name, not a role. A server that is ``down`` takes no
    traffic, so nothing is wrong with calling it a standby.
    """
    found: dict[Peer, list[Mention]] = {}
    others = 0
    for peer in upstream.peers:
        said = mentions(peer, model.comments)
        if not said:
            others += peer.is_live
        elif peer.is_live:
            found[peer] = said
    if not found or not others:
        return (), ()
    evidence = [
        _at(mention.place, peer.directive, "words", mention.sentence, 0.7)
        for peer, said in found.items()
        for mention in said
    ]
    return tuple(found), tuple(evidence)


def _sibling(upstream: Upstream, model: Model) -> tuple[tuple[Peer, ...], tuple[Evidence, ...]]:
    relatives = model.relatives(upstream.family)
    found = relatives.sibling(upstream)
    if found is None:
        return (), ()
    other, standby = found
    names = ", ".join(peer.text for peer in standby)
    text = f'the upstream "{other.name}" has the same servers and marks {names} as backup'
    alike = len(upstream.peers) == len(other.peers)
    weight = 0.4 if relatives.outnumbers_siblings(upstream) else 0.8 if alike else 0.5
    return standby, (_at(other.directive, other.directive, "sibling", text, weight),)


def _file(upstream: Upstream) -> Iterator[Evidence]:
    block = upstream.directive
    stem = file_stem(block.source.path)
    if says(stem, "active", "passive"):
        text = f'the file is named "{stem}"'
        yield _at(block, block, "file", text, 0.65)
    elif word := promises_failover(stem):
        yield _at(block, block, "file", f'the file name "{stem}" contains "{word}"', 0.2)


def _name(upstream: Upstream) -> Iterator[Evidence]:
    word = promises_failover(upstream.name)
    if word:
        token, block = upstream.directive.args[0], upstream.directive
        yield _at(token, block, "name", f'the name of the upstream contains "{word}"', 0.2)


def _hints(upstream: Upstream, model: Model) -> Iterator[Evidence]:
    peers = upstream.peers
    if len(peers) == 2 and [peer.down for peer in peers].count(True) == 1:
        cold = next(peer for peer in peers if peer.down)
        text = f"{cold.text} is marked down: a cold standby that is enabled by hand"
        yield _at(cold.directive, cold.directive, "cold-standby", text, 0.3)
    live = upstream.live_primaries
    if len(live) > 1:
        low, high = min(live, key=lambda peer: peer.weight), max(live, key=lambda peer: peer.weight)
        if high.weight >= EXTREME_WEIGHTS * low.weight:
            text = f"weights of {high.weight} to {low.weight} leave {low.text} hardly any requests"
            yield _at(low.directive, low.directive, "weights", text, 0.3)
    outlier = model.relatives(upstream.family).outlier(upstream)
    if outlier:
        pattern, groups = outlier
        text = f'the other {len(groups) - 1} upstreams named like "{pattern}" have a backup server'
        yield _at(upstream.directive.args[0], upstream.directive, "outlier", text, 0.3)
