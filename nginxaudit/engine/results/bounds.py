"""What a report holds at most, and what of a configuration is too large to be analysed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from nginxaudit.finding import Finding
from nginxaudit.model import Model
from nginxaudit.source.limits import raised, spoken
from nginxaudit.syntax.tree import Problem


def at_most(findings: list[Finding], limit: int) -> tuple[list[Finding], list[str]]:
    """At most ``limit`` findings of each rule, and a note for each rule that has more.

    Kept are the ones that count for the exit code: those that nobody suppressed, the most severe ones first.
    """
    counts = Counter(finding.rule for finding in findings)
    over = {rule: count - limit for rule, count in counts.items() if count > limit}
    if not over:
        return findings, []
    seen: Counter[str] = Counter()
    dropped: set[int] = set()
    for finding in sorted(findings, key=_weight):  # stable: earlier places first
        seen[finding.rule] += 1
        if seen[finding.rule] > limit:
            dropped.add(id(finding))
    notes = [
        f"{rule}: {count:,} more findings are not in the report: "
        f"max-findings-per-rule in [limits] of the settings is {limit:,}"
        for rule, count in sorted(over.items())
    ]
    return [finding for finding in findings if id(finding) not in dropped], notes


def _weight(finding: Finding) -> tuple[bool, int]:
    return finding.suppressed is not None, -finding.severity.rank


def too_long(model: Model) -> Iterator[Problem]:
    """Regular expressions that are longer than what is analysed."""
    for written in model.expressions:
        if written.too_long:
            yield Problem(
                "limit-exceeded",
                f"the regular expression is longer than {spoken(written.limit)}: what it matches was not analysed",
                written.directive.source,
                written.token.start,
                written.token.end,
                help=f"Split it, {raised('max_regex_size')}.",
                analysed=False,
                via=written.directive.via,
            )
