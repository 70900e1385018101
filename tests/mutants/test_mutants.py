"""The mutants themselves: damage is noticed where examples look, and only there."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache

import pytest

from tests.mutants.equivalents import key, named
from tests.mutants.kinds import FINE, KINDS
from tests.mutants.sites import ROOT, Mutant, change_of, chosen, damaged, mutants, path_of
from tests.support.clock import HANG

_SLUG, _FUNCTION = "unused-upstream", "unused_upstream"


@cache
def _all() -> list[Mutant]:
    return mutants()


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.mutants", "--all", "--jobs", "1", "--rule", _SLUG, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANG, check=False)


def _of(function: str, kind: str) -> Mutant:
    return next(mutant for mutant in _all() if (mutant.function, mutant.kind) == (function, kind))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["message", "condition", "finding"])
def test_a_mutant_is_killed_by_the_examples(kind: str) -> None:
    mutant = _of(_FUNCTION, kind)
    done = _run("--only", mutant.name, "--verbose")
    assert f"killed: {mutant} [{_SLUG}-" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["severity", "refusal", "fix"])
def test_a_page_that_says_something_else_is_noticed(kind: str) -> None:
    mutant = _of(_SLUG, kind)
    assert change_of(mutant) is not None
    done = _run("--only", mutant.name, "--verbose")
    assert f"killed: {mutant} [{_SLUG}-" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_the_same_seed_makes_the_same_of_every_plain_kind() -> None:
    command = [sys.executable, "-m", "tests.mutants", "--list", "--seed", "5"]
    first, second = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(2)
    )
    assert first.stdout == second.stdout
    assert len(first.stdout.splitlines()) == 120
    assert {line.split(":")[1] for line in first.stdout.splitlines()} == set(KINDS) - set(FINE)


@pytest.mark.slow
def test_without_a_comparison_it_survives() -> None:
    mutant = _of(_FUNCTION, "message")
    done = _run("--only", mutant.name, "--compare", "nothing")
    assert f"survived: {mutant}" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1


@pytest.mark.slow
def test_there_are_enough_of_every_kind_in_all_rooms() -> None:
    assert {mutant.kind for mutant in _all()} == set(KINDS)
    some = chosen(_all(), 200, seed=1)
    assert len(set(some)) == 200
    assert len({mutant.module for mutant in some}) > 30
    assert {mutant.module.split(".")[0] for mutant in some} == {"nginxaudit", "rules"}
    assert some == chosen(_all(), 200, seed=1) != chosen(_all(), 200, seed=2)


@pytest.mark.slow
def test_a_mutant_is_another_module() -> None:
    for mutant in chosen([each for each in _all() if change_of(each) is None], 60, seed=3):
        before = ast.unparse(ast.parse(path_of(mutant.module).read_text(encoding="utf-8")))
        assert ast.unparse(damaged(mutant)) != before, str(mutant)


@pytest.mark.slow
def test_a_mutant_that_is_called_equivalent_exists() -> None:
    assert named().keys() <= {key(mutant) for mutant in _all()}
