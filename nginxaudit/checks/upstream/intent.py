"""Is the group what its author means it to be?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.upstream.common import group_place
from nginxaudit.checks.upstream.sharing import workers
from nginxaudit.finding import Applicability, Confidence, Fix, Severity
from nginxaudit.hit import CheckContext, Hit, Place, listed
from nginxaudit.model.intent import Evidence, Intent
from nginxaudit.model.topology import ACTIVE_ACTIVE, DECLARABLE, Declaration
from nginxaudit.model.upstream import Upstream
from nginxaudit.model.words import tokens

_STATEFUL = frozenset(
    {
        "db",
        "database",
        "postgres",
        "postgresql",
        "pg",
        "mysql",
        "mariadb",
        "redis",
        "sentinel",
        "rabbitmq",
        "rabbit",
        "mongo",
        "ldap",
    }
)
"""Words in the name of a group whose servers keep state."""
_PER_WORKER = "Both servers receive writes, even at the same time: without a zone each worker process counts errors separately."

_OF_HINTS = {
    "weights": "A server with a low weight still gets live requests; a backup server gets them only when all primaries are unavailable.",
    "cold-standby": "A server that is marked down never takes over; one marked backup does so automatically.",
}


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


def active_passive_flapping(ctx: CheckContext) -> Iterable[Hit]:
    """One error moves everybody to the standby for ten seconds, and back: bad for what keeps state."""
    for upstream in ctx.model.all_upstreams:
        live = upstream.live_primaries
        if len(live) != 1 or not upstream.live_backups or upstream.external or not upstream.complete:
            continue
        if not live[0].explicit.isdisjoint(("max_fails", "fail_timeout")):
            continue  # the author chose
        words = {word for name in (upstream.name,) for word in tokens(name)}
        if upstream.family != "stream" and words.isdisjoint(_STATEFUL):
            continue
        alone = upstream.zone is None and workers(ctx.model) != 1
        yield Hit(
            group_place(upstream),
            f'one error at {live[0].text} moves all traffic of "{upstream.name}" to the backup for 10 seconds',
            upstream.directive,
            why=_PER_WORKER if alone else "",
            help="Set max_fails and fail_timeout deliberately, and add a zone.",
        )


def declared_topology_contradicted(ctx: CheckContext) -> Iterable[Hit]:
    """The group is declared to be what it is not, or what nobody knows."""
    for upstream in ctx.model.all_upstreams:
        declaration = ctx.model.declaration(upstream)
        if declaration is None:
            continue
        comment = declaration.comment
        place = Place(comment.source, comment.start, comment.end) if comment else group_place(upstream)
        problem = _contradiction(upstream, declaration)
        if problem:
            yield Hit(
                place,
                f'"{upstream.name}" is declared {declaration.topology}, but {problem}',
                upstream.directive,
                related=(("the upstream", group_place(upstream)),) if comment else (),
                help="Correct the servers or the declaration.",
                why=""
                if declaration.valid
                else "Without a valid declaration nginxaudit guesses the topology from names and comments.",
            )


def _contradiction(upstream: Upstream, declaration: Declaration) -> str:
    if not declaration.valid:
        return f"the known topologies are {' and '.join(DECLARABLE)}"
    if upstream.external or not upstream.complete:
        return ""
    live = len(upstream.live_primaries)
    if declaration.topology == ACTIVE_ACTIVE:
        if upstream.backups:
            names = listed([peer.text for peer in upstream.backups])
            return f"{names} is marked backup"
        if live == 1 and not upstream.live_primaries[0].is_hostname:
            return "only one server gets traffic"
    elif upstream.backups and not upstream.live_backups:
        return "its backup is marked down"
    return ""


def _certain(upstream: Upstream, intent: Intent) -> Hit:
    return Hit(
        group_place(upstream),
        f'"{upstream.name}" is declared active-passive, but no server is marked backup',
        upstream.directive,
        related=_evidence(intent.evidence),
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        help=_remedy(upstream, intent),
        make_fix=partial(_marked, upstream, intent),
    )


def _inferred(upstream: Upstream, intent: Intent) -> Hit:
    reason = max(intent.evidence, key=lambda each: each.weight).text
    return Hit(
        group_place(upstream),
        f'"{upstream.name}" looks active-passive, but has no backup server: {reason}',
        upstream.directive,
        related=_evidence(intent.evidence),
        help=_remedy(upstream, intent),
        make_fix=partial(_marked, upstream, intent),
    )


def _hinted(upstream: Upstream, intent: Intent) -> Hit:
    return Hit(
        group_place(upstream),
        f'"{upstream.name}" may be meant as active-passive: {intent.hints[0].text}',
        upstream.directive,
        related=_evidence(intent.hints),
        severity=Severity.INFO,
        confidence=Confidence.LOW,
        why=_OF_HINTS.get(intent.hints[0].kind, ""),
        help=_remedy(upstream, intent),
        make_fix=partial(_marked, upstream, intent),
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
        f"Mark {standby} with backup; if all servers should get traffic, declare it: "
        f'# nginxaudit: topology=active-active above "upstream {upstream.name}".'
    )


def _marked(upstream: Upstream, intent: Intent) -> Fix | None:
    """``backup`` on the servers that the evidence calls a standby; of two without evidence on the second one."""
    live = [peer for peer in upstream.primaries if peer.is_live]
    standby, title = list(intent.standby), "Mark the standby backup"
    if not standby and len(live) == 2:
        standby, title = live[1:], f"Mark {live[1].address} as backup, if it is the standby"
    if not intent.missing_backup or all(peer in standby for peer in live) or not standby:
        return None
    return Fix(
        title, Applicability.UNSAFE, tuple(edits.appended(peer.directive, "backup") for peer in standby)
    )
