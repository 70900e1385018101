"""``--profile``: where the time of a scan went, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

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


def show(watch: Stopwatch, started: float, stream: TextIO | None = None) -> None:
    """Write seconds and shares by phase, then by rule; ``started``: processor seconds before the scan began."""
    stream = stream or sys.stderr
    phases = {"start-up": started, **watch.phases, "checks": sum(watch.rules.values())}
    total = sum(phases.values()) or 1.0
    stream.write(f"\nWhere the time went: {total:.3f} s in one process\n")
    stream.writelines(
        _line(phases[name], total, f"{name:10} {about}") for name, about in _WORDS.items() if name in phases
    )
    rules = sorted(watch.rules.items(), key=lambda each: -each[1])
    stream.write(f"The slowest rules, of {len(rules)}:\n")
    stream.writelines(_line(spent, total, slug) for slug, spent in _some(rules))
    stream.flush()


def _some(rules: list[tuple[str, float]]) -> Iterable[tuple[str, float]]:
    yield from rules[:_SHOWN]
    if len(rules) > _SHOWN:
        yield f"the other {len(rules) - _SHOWN}", sum(spent for _, spent in rules[_SHOWN:])


def _line(spent: float, total: float, text: str) -> str:
    return f"{spent:9.3f} s {spent / total:5.0%}  {text}\n"
