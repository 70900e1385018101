"""Which rules show that a control of a standard is not met: ``rules/standards.toml``, read when asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

from msgspec import Struct, convert

FILE_NAME = "standards.toml"


class Control(Struct, frozen=True, forbid_unknown_fields=True):
    """A control of a standard, in a few words, with the slugs of the rules whose findings break it.

    Where the standard lists CWEs, ``cwe`` has them: all rules with one of them belong to it, and those ``described`` in words.
    """

    title: str
    rules: tuple[str, ...]
    cwe: tuple[int, ...] = ()
    described: tuple[str, ...] = ()


class Standard(Struct, frozen=True, forbid_unknown_fields=True):
    """A standard: its controls by number. ``basis`` is the part of the document on which the choice of rules rests."""

    title: str
    version: str
    published: str
    basis: str
    url: str
    controls: Mapping[str, Control]
    alias: str = ""

    @property
    def rules(self) -> frozenset[str]:
        """Slugs of the rules of all controls."""
        return frozenset(slug for control in self.controls.values() for slug in control.rules)


@cache
def standards() -> Mapping[str, Standard]:
    """The standards by name, in the order of the file."""
    import tomllib

    from nginxaudit.engine.rules.places import pages_directory

    with open(os.path.join(pages_directory(), FILE_NAME), "rb") as file:
        return convert(tomllib.load(file), dict[str, Standard])


def names() -> dict[str, Standard]:
    """The standards by every name under which their rules are selected."""
    found = {}
    for name, standard in standards().items():
        found[name] = standard
        if standard.alias:
            found[standard.alias] = standard
    return found


@cache
def controls_of(slug: str) -> dict[str, list[str]]:
    """Numbers of the controls that a finding of the rule ``slug`` breaks, by the name of their standard."""
    found = {
        name: [number for number, control in standard.controls.items() if slug in control.rules]
        for name, standard in standards().items()
    }
    return {name: numbers for name, numbers in found.items() if numbers}


def broken_by(slug: str) -> list[tuple[str, str]]:
    """The controls of `controls_of`, each with its standard: name and number."""
    return [(name, number) for name, numbers in controls_of(slug).items() for number in numbers]


def cited(slug: str) -> list[str]:
    """The controls of `controls_of` in words: ``CIS NGINX Benchmark 2.5.1``."""
    return [f"{standards()[name].title} {', '.join(numbers)}" for name, numbers in controls_of(slug).items()]
