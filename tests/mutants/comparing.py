"""How the rule tests look at an example. Imported only where nginxaudit may be imported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from nginxaudit.engine.rules.catalogue import builtin
from tests.rules.examples import Case, cases_of, found_in, slug_of
from tests.rules.marks import by_line, marks, refusal_differs
from tests.rules.snapshot import expected, lines


def examples(names: Iterable[str]) -> Iterator[Case]:
    """The examples called ``names``. Only the pages that have them are read."""
    wanted = set(names)
    return (case for case in examples_of(set(map(slug_of, wanted))) if case.name in wanted)


def examples_of(slugs: Collection[str]) -> Iterator[Case]:
    """The examples of the rules ``slugs``, of all rules without any."""
    return (case for rule in builtin() if not slugs or rule.slug in slugs for case in cases_of(rule))


def look_at_nothing() -> None:
    """Use whatever every scan uses, with a rule that has no Python."""
    rule = next(rule for rule in builtin() if rule.check.directive)
    with TemporaryDirectory() as scratch:
        found_in(next(cases_of(rule)), Path(scratch))
    expected()


def _findings(case: Case, directory: Path) -> bool:
    """Every detail of every finding, as it is written down."""
    found = found_in(case, directory)
    written = lines(case, found, directory) == expected().get(case.name, [])
    return written and not refusal_differs(case, found)


def _places(case: Case, directory: Path) -> bool:
    """Only on which lines something is found."""
    return set(by_line(found_in(case, directory))) == set(marks(case))


def _nothing(case: Case, directory: Path) -> bool:
    """Nothing at all: every mutant survives. For the tests of the mutants."""
    return True


COMPARISONS: dict[str, Callable[[Case, Path], bool]] = {
    "findings": _findings,
    "places": _places,
    "nothing": _nothing,
}
