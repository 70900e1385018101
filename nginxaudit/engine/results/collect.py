"""Hits to findings: places, include chains, duplicates, fingerprints."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, TypeVar

from msgspec.structs import replace

from nginxaudit.engine.results.concealed import Concealed
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.finding import Applicability, Finding, Fix, Related, Span
from nginxaudit.hit import Hit, Place, spelled_versions
from nginxaudit.nginx import Stretch
from nginxaudit.syntax.tree import Directive

_T = TypeVar("_T")
_IDENTIFYING = 4096  # code points of what a directive is known by: nginx reads no longer word
_MAX_CHAINS = 3  # include chains named in a finding; a snippet may be included 2,000 times


class Collector:
    """Findings of a run for the versions ``target``. The same place of a shared include is one finding with several ways to it."""

    def __init__(self, target: Stretch) -> None:
        self._target = target
        self._hits: dict[tuple[object, ...], tuple[Rule, Hit]] = {}
        self._ways: dict[tuple[object, ...], dict[Span, None]] = {}
        self._reached: dict[
            tuple[object, ...], dict[Span, None]
        ] = {}  # the same, with the includes around them
        self._spans: dict[tuple[str, int, int], Span] = {}
        self._times: dict[tuple[object, ...], int] = {}  # how often the same place was found
        self._entered: dict[str, int] = {}  # file -> in how many contexts it stands

    def enter(self, entered: Mapping[str, int]) -> None:
        """Take in how many contexts the files of a root stand: a fix in a shared one changes all of them."""
        for path, times in entered.items():
            self._entered[path] = self._entered.get(path, 0) + times

    def add(self, rule: Rule, hit: Hit) -> None:
        """Take one hit."""
        place = hit.place
        key = self._key(rule, hit)
        if place.via is not None:
            self._ways.setdefault(key, {})[self._span(_include_place(place.via))] = None
            reached = self._reached.setdefault(key, {})
            via: Directive | None = place.via
            while via is not None:
                reached[self._span(_include_place(via))] = None
                via = via.via
        self._times[key] = self._times.get(key, 0) + 1
        if key not in self._hits:
            self._hits[key] = rule, hit

    def _key(self, rule: Rule, hit: Hit) -> tuple[object, ...]:
        """What makes a finding: in a shared file the message may name the block it was reached from, which does not."""
        place = hit.place
        where = rule.slug, place.source.path, place.start, place.end
        shared, own = (*where, ""), (*where, hit.message)
        key, other = (own, shared) if place.via is None else (shared, own)
        # The same file may be read alone, too, as a fragment.
        if other in self._hits and self._hits[other][1].message == hit.message:
            return other
        return key

    def findings(self) -> list[Finding]:
        """All findings, sorted by file, place and rule, with include chains and fingerprints."""
        if not self._hits:
            return []
        sha256 = _sha256()
        ordered = sorted(self._hits.items(), key=_order)
        counts: dict[tuple[str, str, str], int] = {}  # per file: what is new in one changes none of another
        result = []
        for key, (rule, hit) in ordered:
            path = _path_of(hit)
            alike = rule.slug, hit.place.source.path, path
            number = counts[alike] = counts.get(alike, 0) + 1
            digest = sha256(f"{rule.slug}\0{path}\0{number}".encode("utf-8", "surrogateescape"))
            result.append(self._finding(key, rule, hit, digest.hexdigest()[:32]))
        return result

    def _finding(self, key: tuple[object, ...], rule: Rule, hit: Hit, fingerprint: str) -> Finding:
        shown = Concealed(hit)
        related = [
            Related(shown(word), self._span(other)) for word, other in hit.related if other.source.path
        ]
        ways = self._ways.get(key)
        if ways:
            related += _chain(list(ways))
        return Finding(
            id=rule.id,
            rule=rule.slug,
            category=rule.category,
            severity=_level(hit.severity, rule.severity),
            confidence=_level(hit.confidence, rule.confidence),
            message=shown(hit.message),
            span=self._span(hit.place),
            rejected_by_nginx=rule.rejected_by_nginx if hit.rejected is None else hit.rejected,
            related=tuple(related),
            help=shown(hit.help),
            why=shown(hit.why),
            fix=self._shared(shown.fix(hit.fix), hit, self._times[key]) if hit.fix else None,
            fingerprint=fingerprint,
            versions=spelled_versions(hit.versions, self._target) if hit.versions else None,
            witness=shown.witness(hit.witness) if hit.witness else None,
            cause=hit.cause,
            reached=tuple(self._reached.get(key, ())),
        )

    def _shared(self, fix: Fix, hit: Hit, times: int) -> Fix:
        """``fix``, saying what else it touches: unsafe where that is more than what was found.

        A hit without a directive is about the text of the file, wherever it stands.
        """
        everywhere = max((self._entered.get(edit.file, 1) for edit in fix.edits), default=1)
        if everywhere < 2:
            return fix
        own = all(edit.file == hit.place.source.path for edit in fix.edits)
        found = everywhere if own and hit.node is None else times if own else 1
        title = f"{fix.title} (the file stands in {everywhere} places, all of which this changes)"
        return replace(
            fix,
            title=title,
            applicability=fix.applicability if found >= everywhere else Applicability.UNSAFE,
        )

    def _span(self, place: Place) -> Span:
        key = place.source.path, place.start, place.end
        span = self._spans.get(key)
        if span is None:
            span = self._spans[key] = place.source.span(place.start, place.end)
        return span


def _sha256() -> Callable[[bytes], Any]:
    """SHA-256 without loading OpenSSL, which takes longer than a small run's findings (as in `random`)."""
    for module in ("_sha2", "_sha256", "hashlib"):  # Python 3.12 and newer, 3.11, one without either
        with contextlib.suppress(ImportError):
            function: Callable[[bytes], Any] = import_module(module).sha256
            return function
    raise ImportError("this Python has no SHA-256")


def _level(override: _T | None, default: _T) -> _T:
    return default if override is None else override


def _order(entry: tuple[tuple[object, ...], tuple[Rule, Hit]]) -> tuple[object, ...]:
    rule, hit = entry[1]
    place = hit.place
    return place.source.path, place.start, place.end, rule.id, hit.message


def _include_place(via: Directive) -> Place:
    return Place(via.source, via.start, via.args[-1].end if via.args else via.name_end)


def _chain(ways: list[Span]) -> Iterator[Related]:
    for span in ways[:_MAX_CHAINS]:
        yield Related("included from here", span, includes=1)
    more = len(ways) - _MAX_CHAINS
    if more > 0:
        yield Related(f"and from {more} more places, the last one here", ways[-1], includes=more)


def _path_of(hit: Hit) -> str:
    """What identifies a hit when lines move: its directive and the blocks around it, as text; of long words the beginning."""
    if hit.node is None:
        place = hit.place
        return place.source.text[place.start : place.end][:_IDENTIFYING]
    words: Iterable[Directive] = [hit.node, *hit.node.ancestors()]
    anchor = (
        hit.place.source.text[hit.place.start : hit.place.end] if hit.place.source is hit.node.source else ""
    )
    anchor = " ".join(anchor[:_IDENTIFYING].split())
    return "\x1f".join([anchor, *(_written(node) for node in words)])


def _written(node: Directive) -> str:
    text = " ".join([node.name, *node.args[:_IDENTIFYING]])
    return text if len(text) <= _IDENTIFYING else text[:_IDENTIFYING]
