"""``--profile``: where the time of a scan went, on standard error."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.cli.streams import say
from nginxaudit.engine.run.clock import Stopwatch

_SHOWN = 25  # rules
_WORDS = {
    "start-up": "Python, imports, settings (processor time)",
    "read": "finding and reading files, expanding includes",
    "parse": "words, statements, trees",
    "model": "what the directives mean, as far as rules ask for it",
    "rules": "choosing and loading rules",
    "checks": "what the rules themselves do",
    "findings": "places, fingerprints, suppressions, baseline",
    "report": "writing the report",
}


def show(watch: Stopwatch, started: float) -> None:
    """Write seconds and shares by phase, then by rule; ``started``: processor seconds before the scan began."""
    phases = {"start-up": started, **watch.phases, "checks": sum(watch.rules.values())}
    total = sum(phases.values()) or 1.0
    say("", error=True)
    say(f"Where the time went: {total:.3f} s in one process", error=True)
    for name, about in _WORDS.items():
        if name in phases:
            say(_line(phases[name], total, f"{name:10} {about}"), error=True)
    rules = sorted(watch.rules.items(), key=lambda each: -each[1])
    say(f"The slowest rules, of {len(rules)}:", error=True)
    for slug, spent in _some(rules):
        say(_line(spent, total, slug), error=True)


def _some(rules: list[tuple[str, float]]) -> Iterable[tuple[str, float]]:
    yield from rules[:_SHOWN]
    if len(rules) > _SHOWN:
        yield f"the other {len(rules) - _SHOWN}", sum(spent for _, spent in rules[_SHOWN:])


def _line(spent: float, total: float, text: str) -> str:
    return f"{spent:9.3f} s {spent / total:5.0%}  {text}"
