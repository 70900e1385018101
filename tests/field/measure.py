"""Scans of trees, counted per rule."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings

LEVELS = ("error", "warning", "info")


@dataclass
class Measure:
    """How many findings of each rule and severity there are, in how many lines of how many files."""

    lines: int = 0
    files: int = 0
    trees: list[str] = field(default_factory=list)
    rules: dict[str, dict[str, int]] = field(default_factory=dict)  # rule -> severity -> findings
    not_read: list[str] = field(default_factory=list)  # trees with crashed rules, and what crashed

    def per_thousand(self, count: int) -> float:
        """Findings per 1,000 lines."""
        return 1000 * count / self.lines if self.lines else 0.0

    def total(self, *levels: str) -> int:
        """Findings with one of the severities."""
        return sum(found.get(level, 0) for found in self.rules.values() for level in levels)


@dataclass(frozen=True, order=True)
class Found:
    """One finding, for people who judge it."""

    file: str
    line: int
    rule: str
    severity: str
    message: str


def measure(trees: Iterable[str]) -> tuple[Measure, list[Found]]:
    """Scan every tree as one run would; files outside of a tree do not count."""
    result, found = Measure(), []
    for tree in trees:
        report = audit([tree], Settings())
        result.trees.append(tree)
        result.not_read += [f"{tree}: {crash.rule}: {crash.error}" for crash in report.crashes]
        for each in report.files:
            result.files += 1
            result.lines += _lines(Path(each.path))
        for finding in report.active:
            level = finding.severity.label
            counts = result.rules.setdefault(finding.rule, {})
            counts[level] = counts.get(level, 0) + 1
            found.append(Found(finding.span.file, finding.span.line, finding.rule, level, finding.message))
    return result, sorted(found)


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:  # inside of an archive or a manifest
        return 0


def drawn(found: list[Found], count: int, seed: int) -> list[Found]:
    """``count`` errors and warnings at random: the same for the same seed and findings."""
    chosen = [each for each in found if each.severity != "info"]
    return sorted(random.Random(seed).sample(chosen, min(count, len(chosen))))


def table(now: Measure, old: Measure | None = None) -> str:
    """Rules and their findings by severity, those with most findings first; with ``old`` those that changed most."""
    counts = {rule: sum(found.values()) for rule, found in now.rules.items()}
    before = {rule: sum(found.values()) for rule, found in old.rules.items()} if old else {}
    rules = sorted(counts | before, key=lambda rule: (-_weight(rule, now, old), rule))
    head = f"{'rule':40} {'error':>7} {'warning':>7} {'info':>7} {'/1000 lines':>11}"
    rows = [
        head + (f"   {'before: error':>13} {'warning':>7} {'info':>7} {'/1000 lines':>11}" if old else "")
    ]
    rows += [_row(rule, now, old) for rule in rules]
    rows.append(_totals("all rules", now, old))
    rows.append(f"{len(now.trees)} trees, {now.files} files, {now.lines} lines")
    return "\n".join(rows)


def _weight(rule: str, now: Measure, old: Measure | None) -> int:
    found = now.rules.get(rule, {})
    if old is None:
        return sum(found.values())
    earlier = old.rules.get(rule, {})
    return sum(abs(found.get(level, 0) - earlier.get(level, 0)) for level in LEVELS)


def _row(rule: str, now: Measure, old: Measure | None) -> str:
    numbers = _numbers(now, Counter(now.rules.get(rule, {})))
    return f"{rule:40} {numbers}" + (
        f"   {_numbers(old, Counter(old.rules.get(rule, {})), 13)}" if old else ""
    )


def _totals(name: str, now: Measure, old: Measure | None) -> str:
    sums = [Counter({level: each.total(level) for level in LEVELS}) for each in (now, old) if each]
    return f"{name:40} {_numbers(now, sums[0])}" + (f"   {_numbers(old, sums[1], 13)}" if old else "")


def _numbers(measured: Measure, counts: Counter[str], width: int = 7) -> str:
    return (
        f"{counts['error']:>{width}} {counts['warning']:>7} {counts['info']:>7} "
        f"{measured.per_thousand(sum(counts.values())):>11.2f}"
    )


def to_json(measured: Measure) -> str:
    """A measure as text that `from_json` reads."""
    return json.dumps(asdict(measured), indent=1, sort_keys=True) + "\n"


def from_json(text: str) -> Measure:
    """A measure of an earlier run. Raises `ValueError` for another text."""
    try:
        return Measure(**json.loads(text))
    except TypeError as error:
        raise ValueError(f"this is no measure: {error}") from None
