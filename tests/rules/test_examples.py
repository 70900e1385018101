"""Every example of every rule page: nginxaudit says what the page says, and so does a real nginx."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.pages import read_page
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.engine.run.tasks import module_of
from tests.rules import snapshot
from tests.rules.examples import MORE, Case, cases, found_in
from tests.rules.judged import answer, is_refused, only_the_machine_lacks_something
from tests.rules.marks import Mark, by_line, marks, refusal_differs
from tests.support import nginx

# What nginx itself refuses, or says about groups, has its near misses in the tests of the model and of parity.
_ABOUT_REFUSALS = ("input", "syntax", "upstream", "deprecation")


def _name(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("rule", builtin().rules, ids=lambda rule: rule.slug)
def test_every_page_has_bad_and_good_examples(rule: Rule) -> None:
    kinds = [example.kind for example in read_page(rule).examples]
    enough = 1 if rule.category == "input" else 2
    assert kinds.count("bad") >= enough, f"a page shows at least {enough} bad examples"
    misses = 1 if rule.category in _ABOUT_REFUSALS else enough
    assert kinds.count("good") >= misses, f"a page shows {misses} near misses that stay silent"


def test_every_check_is_there() -> None:
    """Checks are imported when they run: that each is one, and known to its module, is seen here."""
    for rule in builtin():
        for reference in rule.check.functions:
            module, _, function = reference.rpartition(".")
            assert callable(getattr(import_module(module_of(module)), function)), rule.slug


@pytest.mark.parametrize("case", cases(), ids=_name)
def test_example(case: Case, tmp_path: Path) -> None:
    """What is marked on the page is found, and in every detail what is written down beside the tests."""
    found = found_in(case, tmp_path)
    marked, there = marks(case), by_line(found)
    if case.example.kind == "bad":
        assert marked, "a bad example marks where the finding is"
    assert set(there) == set(marked)
    for place, said in marked.items():
        messages = [f"{each.severity.label}: {each.message}" for each in there[place]]
        assert len(said) == len(messages) and all(map(Mark.fits, said, there[place])), (
            f"line {place}: {' '.join(map(str, said))} does not say {messages} (python -m tests.expected rules)"
        )
    assert not refusal_differs(case, found), f"rejected-by-nginx = {case.rule.rejected_by_nginx}"
    different = list(snapshot.differences(case, snapshot.lines(case, found, tmp_path)))
    assert not different, "\n".join([case.name, *different, "python -m tests.expected rules"])


def test_further_examples_are_about_rules() -> None:
    assert {path.stem for path in MORE.glob("*.md")} <= {rule.slug for rule in builtin()}


def test_nothing_is_expected_of_examples_that_are_gone() -> None:
    assert set(snapshot.expected()) <= {case.name for case in cases()}, "python -m tests.expected rules"


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize("case", cases(), ids=_name)
def test_example_on_nginx(case: Case, tmp_path: Path) -> None:
    """``rejected-by-nginx`` examples are refused by nginx, all others are accepted: every nginx is asked, old or new."""
    said = answer(case, tmp_path)
    assert said.accepted is not is_refused(case) or only_the_machine_lacks_something(case, said), said.output


def test_the_python_of_a_rule_lies_in_its_category() -> None:
    """A check is found from its page without a search: checks/CATEGORY/, or load/ for what nginx itself refuses."""
    for rule in builtin():
        for reference in rule.check.functions:
            assert reference.partition(".")[0] in (rule.category, "load"), rule.slug
