"""One cause, one finding: what has the same cause is one finding with all its places.

This is the last step of a report: every place has by then met its own suppressions, the baseline and the limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec.structs import replace

from nginxaudit.finding import Applicability, Edit, Finding, Fix, Related


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """``findings``, those with the same cause as one, where the most severe one is: the first that can be fixed."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        if finding.cause and finding.suppressed is None:
            groups.setdefault(_key(finding), []).append(finding)
    leads = {id(lead): group for group in groups.values() if len(group) > 1 for lead in [_lead(group)]}
    if not leads:
        return list(findings)
    others = {id(each) for group in leads.values() for each in group} - leads.keys()
    return [
        _joined(finding, leads[id(finding)]) if id(finding) in leads else finding
        for finding in findings
        if id(finding) not in others
    ]


def apart(findings: Iterable[Finding]) -> list[Finding]:
    """The findings of all places, in order."""
    return sorted((each for finding in findings for each in finding.alone), key=in_order)


def in_order(finding: Finding) -> tuple[str, int, str]:
    """Where a finding is in a report."""
    return finding.span.file, finding.span.start, finding.id


def _key(finding: Finding) -> tuple[object, ...]:
    return finding.cause, finding.rejected_by_nginx, finding.versions


def _lead(group: Sequence[Finding]) -> Finding:
    return min(group, key=lambda each: (-each.severity.rank, each.fix is None))  # of equal ones the first


def _joined(lead: Finding, group: Sequence[Finding]) -> Finding:
    others = [each for each in group if each is not lead]
    places = len({(each.span.file, each.span.start) for each in group})
    return replace(
        lead,
        message=f"{lead.message} ({places} places)" if places > 1 else lead.message,
        related=(*lead.related, *(Related(_word(each, lead), each.span) for each in others)),
        fix=_common_fix([lead, *others]),
        parts=(lead, *others),
    )


def _word(finding: Finding, lead: Finding) -> str:
    if finding.rule != lead.rule:
        return f"{finding.rule}: {finding.message}"
    if finding.message != lead.message:
        return finding.message
    return "also here" if finding.severity is lead.severity else f"also here ({finding.severity.label})"


def _common_fix(group: Sequence[Finding]) -> Fix | None:
    """The fixes of all places as one; that of the first place where they touch each other."""
    fixes = [finding.fix for finding in group if finding.fix is not None]
    if not fixes:
        return None
    edits = sorted({edit for fix in fixes for edit in fix.edits}, key=_place)
    if any(
        one.file == other.file and other.start < max(one.end, one.start + 1) for one, other in pairwise(edits)
    ):
        return fixes[0]
    unsafe = any(fix.applicability is Applicability.UNSAFE for fix in fixes)
    return Fix(fixes[0].title, Applicability.UNSAFE if unsafe else Applicability.SAFE, tuple(edits))


def _place(edit: Edit) -> tuple[str, int, int]:
    return edit.file, edit.start, edit.end
