"""What the end of a test run says beside pytest: from properties of the tests, which also come from other processes."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.judges import judges


def judged(reporter: pytest.TerminalReporter) -> Iterator[str]:
    """Every nginx, with the number of tests that it judged and what it was built with."""
    counts = {judge.name: Counter[str]() for judge in judges()}
    for report in _reports(reporter, "passed", "failed", "skipped"):
        asked = dict(report.user_properties).get("nginx")
        if asked is not None and report.when == "call":
            counts[asked][report.outcome] += 1
    for judge in judges():
        numbers = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts[judge.name].items()))
        yield f"{judge.name}: {numbers or 'no tests'}; {judge.binary}, {judge.openssl_name()}"
        yield textwrap.fill(judge.modules(), 120, initial_indent="    ", subsequent_indent="    ")
    if not judges():
        yield "no nginx on this machine: the live tests were skipped"


def seconds(reporter: pytest.TerminalReporter) -> Counter[str]:
    """Processor time of the tests with a mark for it (``marked``) and of the others (``quick``)."""
    found: Counter[str] = Counter()
    for report in _reports(reporter, ""):  # of setups and teardowns
        for name, value in report.user_properties:
            if name in ("quick", "marked") and report.when == "teardown":
                found[name] += value
    return found


def _reports(reporter: pytest.TerminalReporter, *outcomes: str) -> Iterator[pytest.TestReport]:
    for outcome in outcomes:
        yield from (each for each in reporter.getreports(outcome) if isinstance(each, pytest.TestReport))
