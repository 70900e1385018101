"""Mutants that nobody can notice: ``equivalent.toml`` names each, by its function and what is changed, with the reason."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.mutants.sites import Mutant

_FILE = Path(__file__).parent / "equivalent.toml"


def without_equivalents(mutants: Sequence[Mutant]) -> tuple[list[Mutant], int]:
    """``mutants`` that can be noticed, and how many others there are."""
    left = [mutant for mutant in mutants if key(mutant) not in named()]
    return left, len(mutants) - len(left)


@cache
def named() -> dict[tuple[str, str, str, str], str]:
    """The reasons by what is changed; the module is left open, for functions move."""
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))["mutant"]
    return {
        (each["function"], each["kind"], each["was"], each["becomes"]): each["reason"] for each in entries
    }


def key(mutant: Mutant) -> tuple[str, str, str, str]:
    """What a mutant is known by."""
    return mutant.function, mutant.kind, mutant.was, mutant.becomes
