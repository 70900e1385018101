"""Which findings a report for people shows, and in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct, field

from nginxaudit.report.base import fix_mark

if TYPE_CHECKING:
    from nginxaudit.finding import Finding

FOLD_AFTER = 10  # places of one rule that are shown before the rest is only counted
SORTS = ("severity", "file")
"""Orders of findings: the most severe ones last, next to the prompt; or as they stand in the files."""


class Arranged(Struct, frozen=True):
    """Findings to show, and by rule and file how many are left out."""

    shown: list[Finding]
    folded: dict[str, Counter[str]] = field(default_factory=dict)


def arranged(findings: Iterable[Finding], sort: str, *, fold: bool) -> Arranged:
    """``findings``, which come by file and place, in the order ``sort``; with ``fold`` the first `FOLD_AFTER` of each rule."""
    result = Arranged([])
    seen: Counter[str] = Counter()
    for finding in findings:
        seen[finding.rule] += 1
        if fold and seen[finding.rule] > FOLD_AFTER:
            result.folded.setdefault(finding.rule, Counter())[finding.span.file] += 1
        else:
            result.shown.append(finding)
    if sort == "severity":
        result.shown.sort(key=_importance)  # stable: by file and place within
    return result


def alike(finding: Finding) -> tuple[object, ...]:
    """What findings of one file have in common that differ in nothing but their places."""
    return finding.rule, finding.claim, finding.severity, finding.suppressed, fix_mark(finding)


def _importance(finding: Finding) -> int:
    return -1 if finding.suppressed else finding.severity.rank
