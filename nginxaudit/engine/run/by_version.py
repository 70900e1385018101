"""What a rule finds for each part of a range of versions, as one list: what holds for all of them, and what for some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from nginxaudit.engine.fix.repair import Fixer
from nginxaudit.engine.fix.since import dated
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.finding import Fix, Severity
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.nginx import Stretch, Target, common, merged

_Part = tuple[Stretch, list[Hit]]


def joined(parts: Sequence[_Part], rule: Rule, target: Target) -> list[Hit]:
    """The hits of all ``parts`` of ``target``, equal ones as one that says for which versions it holds."""
    if len(parts) == 1 and not any(hit.versions for hit in parts[0][1]):
        return parts[0][1]
    found: dict[tuple[object, ...], list[tuple[Stretch, Hit]]] = {}
    for stretch, hits in parts:
        for hit in hits:
            for own in filter(None, (common(stretch, each) for each in hit.versions or (stretch,))):
                found.setdefault(_identity(hit), []).append((own, hit))
    return list(_advised_once((_joined(same, rule, target) for same in found.values()), target))


def _identity(hit: Hit) -> tuple[object, ...]:
    place = hit.place
    return place.source.path, place.start, place.end, place.via and id(place.via), hit.message


def _joined(same: Sequence[tuple[Stretch, Hit]], rule: Rule, target: Target) -> Hit:
    """One hit of those that say the same for several versions: it claims what all of them do.

    Of what is advised the oldest version's holds for the newer ones, too.
    """
    whole = target.stretch
    versions = merged(stretch for stretch, _ in same)
    hits = [hit for _, hit in same]
    oldest = min(same, key=lambda each: each[0].since)[1]
    return replace(
        hits[0],
        versions=() if versions == (whole,) else versions,
        severity=min(hit.severity or rule.severity for hit in hits),
        confidence=min(hit.confidence or rule.confidence for hit in hits),
        rejected=all(_is_refusal(hit, rule) for hit in hits),
        help=oldest.help,
        fix=_common_fix([hit.fix for hit in hits]) if versions[0].since == whole.since else None,
    )


def _is_refusal(hit: Hit, rule: Rule) -> bool:
    return rule.rejected_by_nginx if hit.rejected is None else hit.rejected


def _advised_once(hits: Iterable[Hit], target: Target) -> Iterator[Hit]:
    """``hits``; what only some versions refuse is no refusal, but advice.

    It is a problem when the newest refuses it. That a newer version is needed is said once of a file, however often it is
    needed there.
    """
    reported: set[tuple[str, str]] = set()
    for hit in hits:
        if not (hit.versions and hit.rejected):
            yield hit
        elif hit.versions[-1].before == target.stretch.before:
            yield replace(
                hit, rejected=False, severity=min(hit.severity or Severity.WARNING, Severity.WARNING)
            )
        elif "needs nginx" not in hit.message or (hit.place.source.path, hit.message) not in reported:
            reported.add((hit.place.source.path, hit.message))
            yield replace(hit, rejected=False, severity=Severity.INFO)


# -- fixes


def _common_fix(fixes: Sequence[Fix | None]) -> Fix | None:
    """The fix that all versions share."""
    return fixes[0] if all(fix == fixes[0] for fix in fixes) else None


def fix_for_all(hit: Hit, fixer: Fixer, model: Model) -> Fix | None:
    """The fix of a hit that all versions for which it holds share, and that all of the target understand."""
    target = model.target
    if hit.versions and target.is_range:
        parts = target.parts(lambda: fixer(hit, model))
        fix = _common_fix(
            [fix for stretch, fix in parts if any(common(stretch, own) for own in hit.versions)]
        )
    else:
        fix = fixer(hit, model)
    return dated(fix, model) if fix is not None else None
