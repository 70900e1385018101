"""Is the group what its author means it to be?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nginxaudit.checks.base import CheckContext, Hit, Place
from nginxaudit.checks.upstream.common import group_place, listed
from nginxaudit.finding import Confidence, Severity
from nginxaudit.model.intent import Evidence, Intent
from nginxaudit.model.upstream import Upstream


def active_passive_without_backup(ctx: CheckContext) -> Iterable[Hit]:
    """A group that is meant to be active-passive and has no backup server: all servers get traffic."""
    for upstream in ctx.model.all_upstreams:
        if upstream.backups:
            continue
        intent = ctx.model.intent(upstream)
        if intent.missing_backup:
            yield _certain(upstream, intent) if intent.declared else _inferred(upstream, intent)
        elif intent.kind is None and intent.hints and not intent.suppressed:
            yield _hinted(upstream, intent)


def _certain(upstream: Upstream, intent: Intent) -> Hit:
    return Hit(
        group_place(upstream),
        f'"{upstream.name}" is declared active-passive, but no server is marked backup: '
        f"all {len(upstream.primaries)} servers get traffic",
        upstream.directive,
        related=_evidence(intent.evidence),
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        help=_remedy(upstream, intent),
    )


def _inferred(upstream: Upstream, intent: Intent) -> Hit:
    reasons = listed([evidence.text for evidence in intent.evidence], limit=3)
    return Hit(
        group_place(upstream),
        f'"{upstream.name}" looks active-passive ({reasons}), but no server is marked backup: '
        f"all {len(upstream.primaries)} servers get traffic",
        upstream.directive,
        related=_evidence(intent.evidence),
        help=_remedy(upstream, intent),
    )


def _hinted(upstream: Upstream, intent: Intent) -> Hit:
    return Hit(
        group_place(upstream),
        f'"{upstream.name}" may be meant as active-passive: {intent.hints[0].text}',
        upstream.directive,
        related=_evidence(intent.hints),
        severity=Severity.INFO,
        confidence=Confidence.LOW,
        help=_remedy(upstream, intent),
    )


def _evidence(evidence: Sequence[Evidence]) -> tuple[tuple[str, Place], ...]:
    """Places of the evidence; the file's name has none worth showing."""
    return tuple(
        (each.text, Place(each.source, each.start, each.end, each.via))
        for each in evidence
        if each.kind != "file"
    )


def _remedy(upstream: Upstream, intent: Intent) -> str:
    standby = listed([peer.text for peer in intent.standby]) if intent.standby else "the standby"
    return (
        f"Mark {standby} with backup; if all servers shall serve, say so: "
        f'# nginxaudit: topology=active-active above "upstream {upstream.name}".'
    )
