"""A part of a configuration has the findings of the whole, or there is a reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.examples import Case
from tests.rules.parts import Difference, differences, in_pages, kept

KINDS = ("lost", "info", "changed", "gained")


def written_down(case: Case) -> set[Difference]:
    """What is known to be different in the parts of an example."""
    rule = case.rule.slug
    example = case.name.removeprefix(f"{rule}-")
    known = kept().get(rule, {})
    return {
        Difference(kind, rule, where)
        for kind in KINDS
        for where in known.get(kind, [])
        if where.startswith(f"{example},")
    }


@pytest.mark.parametrize("case", in_pages(), ids=lambda case: case.name)
def test_parts_have_the_findings_of_the_whole(case: Case, tmp_path: Path) -> None:
    found, known = set(differences(case, tmp_path)), written_down(case)
    new, gone = sorted(map(str, found - known)), sorted(map(str, known - found))
    assert not new, "\n".join(["give a reason (python -m tests.expected rules), or correct the check:", *new])
    assert not gone, "\n".join(["no longer so (python -m tests.expected rules):", *gone])


def test_every_difference_has_a_reason() -> None:
    for rule, entry in kept().items():
        assert len(entry["reason"]) > 15, f"{rule}: why is it right?"
        assert set(entry) <= {"reason", *KINDS}


def test_all_that_is_written_down_is_looked_for() -> None:
    known = {each for case in in_pages() for each in written_down(case)}
    assert {each.where for each in known} == {
        where for entry in kept().values() for kind in KINDS for where in entry.get(kind, [])
    }
