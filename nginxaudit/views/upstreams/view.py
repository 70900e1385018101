"""One group as an operator asks about it: what it is, who is in it, what happens when one dies."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.finding import Finding, Span
from nginxaudit.model.passes import Pass
from nginxaudit.model.retries import Retry
from nginxaudit.report.masked import veiled_fields
from nginxaudit.views.graph.build import peer_role

if TYPE_CHECKING:
    from nginxaudit.model import Model
    from nginxaudit.model.peer import Peer
    from nginxaudit.model.upstream import Upstream
    from nginxaudit.source.text import SourceText

_ALWAYS = {"http": "a failed connection, a timeout or an invalid answer", "stream": "a failed connection"}
_NO_FAILURES = frozenset({"http_403", "http_404"})  # tried again, but never counted


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
    state: str
    retries: tuple[str, ...]
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
    topology = model.topology(upstream)
    return UpstreamView(
        name=upstream.name,
        family=upstream.family,
        file=path,
        line=source.position(block.start)[0],
        topology=topology.kind.value,
        intent=_intent(upstream, model),
        method=_method(upstream),
        peers=tuple(map(_peer, upstream.peers)),
        failures=_failures(upstream, retries, topology.health_checks),
        state=_state(upstream),
        retries=tuple(dict.fromkeys(_retry(retry, upstream) for retry in retries)),
        users=tuple(dict.fromkeys(map(_user, passes))),
        findings=tuple({id(each): each for each in own}.values()),
    )


def _intent(upstream: Upstream, model: Model) -> str:
    intent = model.intent(upstream)
    if intent.kind is None:
        return f"not declared; {intent.evidence[0].text}" if intent.evidence else "not declared"
    reasons = "; ".join(evidence.text for evidence in intent.evidence[:2])
    return f"{intent.kind}: {reasons}" if reasons else intent.kind


def _method(upstream: Upstream) -> str:
    node = upstream.method_directive
    if node is None:
        return "round robin"
    return " ".join([str(node.name), *map(str, node.args)])


def _peer(peer: Peer) -> PeerView:
    shown = ("weight", "max_fails", "fail_timeout", "max_conns", "backup", "down")
    others = " ".join(str(each.token) for each in peer.parameters if each.name not in shown)
    line = peer.directive.source.position(peer.directive.start)[0]
    return PeerView(
        str(peer.address) if peer.address else peer.text,
        peer_role(peer),
        peer.weight,
        peer.max_fails,
        peer.fail_timeout,
        peer.max_conns,
        others,
        line,
    )


def _failures(upstream: Upstream, retries: list[Retry], checks: bool) -> str:
    """What counts as a failure, and what a failure does."""
    probed = "; active health checks probe the servers, too" if checks else ""
    if not upstream.peers:
        return "unknown: the servers are not in this text"
    if upstream.is_single_peer:
        return f"none: the only server is asked every time, whatever happened before{probed}"
    codes = sorted(
        {word for retry in retries for word in retry.conditions if word.startswith("http_")} - _NO_FAILURES
    )
    counted = _ALWAYS[upstream.family] + (
        f", or an answer {', '.join(code[5:] for code in codes)}" if codes else ""
    )
    rules = dict.fromkeys(_rule(peer) for peer in upstream.peers if peer.is_live)
    doubt = (
        " (if its name has several addresses)"
        if upstream.is_single_peer is None and len(upstream.peers) == 1
        else ""
    )
    return f"{counted} counts; {'; '.join(rules)}{doubt}{probed}" if rules else f"no live server{probed}"


def _rule(peer: Peer) -> str:
    if peer.max_fails == 0:
        return "max_fails=0: never taken out"
    failures = "one failure" if peer.max_fails == 1 else f"{peer.max_fails} failures"
    return f"{failures} within {peer.fail_timeout}s: out for {peer.fail_timeout}s"


def _state(upstream: Upstream) -> str:
    if upstream.zone is not None:
        return f"shared by all workers (zone {' '.join(upstream.zone.args)})"
    return "every worker counts on its own (no zone)"


def _retry(retry: Retry, upstream: Upstream) -> str:
    if upstream.is_single_peer:
        return "none: there is no other server"
    if retry.off:
        return "none: switched off"
    when = ", ".join(sorted(retry.conditions - {"non_idempotent"}))
    tries = f"at most {retry.tries} servers" if retry.tries else "every server once"
    limit = f" within {retry.budget / 1000:g}s" if retry.budget else ""
    writes = " POST too." if "non_idempotent" in retry.conditions else ""
    return f"after {when}: {tries}{limit}; connecting takes up to {retry.connect / 1000:g}s.{writes}"


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
