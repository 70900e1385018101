"""In words what a scenario cost, why, and what would mend it."""

from __future__ import annotations

from nginxaudit.drill.group import Group, Use
from nginxaudit.drill.load import Load
from nginxaudit.drill.results import Outcome, Scenario, Verdict


def judge(
    group: Group, use: Use, load: Load, scenario: Scenario, outcome: Outcome, *, remedies: bool = True
) -> Verdict:
    """The verdict on ``outcome``; with ``remedies`` what helps is looked for by simulating again."""
    passed = outcome.lost == 0
    return Verdict(passed, "loses nothing" if passed else f"loses {outcome.lost} requests")
