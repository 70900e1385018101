"""One group as an operator asks about it: what it is, who is in it, what happens when one dies."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.finding import Finding, Span
from nginxaudit.model.passes import Pass
from nginxaudit.report.masked import veiled_fields
from nginxaudit.views.graph.build import is_placeholder, peer_role
from nginxaudit.views.upstreams import words

if TYPE_CHECKING:
    from nginxaudit.model import Model
    from nginxaudit.model.peer import Peer
    from nginxaudit.model.upstream import Upstream
    from nginxaudit.source.text import SourceText


class PeerView(Struct, frozen=True):
    """One ``server`` line with the defaults filled in. Times are seconds, ``max_conns`` 0 is no limit."""

    address: str
    role: str
    weight: int
    max_fails: int
    fail_timeout: int
    max_conns: int
    others: str
    line: int


class UpstreamView(Struct, frozen=True):
    """One group; every field is a sentence or a list of them, ready to be shown."""

    name: str
    family: str
    file: str
    line: int
    topology: str
    intent: str
    method: str
    peers: tuple[PeerView, ...]
    failures: str
    checks: str
    state: str
    retries: tuple[str, ...]
    hangs: tuple[str, ...]
    users: tuple[str, ...]
    findings: tuple[Finding, ...]


class _Places:
    """Findings by their places: thousands of groups may have thousands of findings, on one line too."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._files: dict[str, list[tuple[Span, Finding]]] = {}
        for finding in findings:
            for span in finding.spans:
                self._files.setdefault(span.file, []).append((span, finding))
        for places in self._files.values():
            places.sort(key=_place)

    def within(self, source: SourceText, start: int, end: int) -> list[Finding]:
        """Those with a place that begins between two offsets."""
        found = self._files.get(source.path, [])
        first = bisect_left(found, source.position(start), key=_place)
        last = bisect_right(found, source.position(end), lo=first, key=_place)
        return [finding for _, finding in found[first:last]]


def _place(entry: tuple[Span, Finding]) -> tuple[int, int]:
    return entry[0].line, entry[0].column


def view_of(upstream: Upstream, model: Model, places: _Places) -> UpstreamView:
    """What is to be told about ``upstream``; ``places`` has the findings."""
    block = upstream.directive
    path, source = block.source.path, block.source
    own = places.within(source, block.start, block.statement.close or block.statement.end)
    for line in block.children:
        if line.source is not source:
            own += places.within(line.source, line.start, line.statement.end)
    passes = model.passes_to(upstream)
    retries = [retry for each in passes if (retry := model.retry(each))]
    return UpstreamView(
        name=upstream.name,
        family=upstream.family,
        file=path,
        line=source.position(block.start)[0],
        topology=words.kind_of(model.topology(upstream)),
        intent=words.intent_of(upstream, model),
        method=words.method_of(upstream),
        peers=tuple(_peer(peer, upstream) for peer in upstream.peers),
        failures=words.failures_of(upstream, retries),
        checks=words.checks_of(upstream, model),
        state=words.state_of(upstream),
        retries=words.retries_of(upstream, retries),
        hangs=words.hangs_of(upstream, retries, model),
        users=tuple(dict.fromkeys(map(_user, passes))),
        findings=tuple({id(each): each for each in own}.values()),
    )


def _peer(peer: Peer, upstream: Upstream) -> PeerView:
    shown = ("weight", "max_fails", "fail_timeout", "max_conns", "backup", "down")
    others = " ".join(str(each.token) for each in peer.parameters if each.name not in shown)
    line = peer.directive.source.position(peer.directive.start)[0]
    return PeerView(
        str(peer.address) if peer.address else peer.text,
        "placeholder" if upstream.by_lua and is_placeholder(peer.address) else peer_role(peer),
        peer.weight,
        peer.max_fails,
        peer.fail_timeout,
        peer.max_conns,
        others,
        line,
    )


def _user(each: Pass) -> str:
    server = each.server.label if each.server else "?"
    place = f"{each.directive.source.path}:{each.directive.source.position(each.directive.start)[0]}"
    location = f" {each.location.label}" if each.location else ""
    return f"{server}{location} by {each.directive.name} ({place})"


def views_of(models: Iterable[Model], findings: Iterable[Finding]) -> Iterator[UpstreamView]:
    """All groups of all configurations, in reading order."""
    places = _Places(findings)
    for model in models:
        for upstream in model.all_upstreams:
            view = view_of(upstream, model, places)
            yield replace(veiled_fields(view), peers=tuple(map(veiled_fields, view.peers)))
