"""Variables that nginx itself and its modules define."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Any

from msgspec import Struct
from msgspec.json import decode

from nginxaudit.nginx.availability import Availability, availability
from nginxaudit.nginx.data_files import groups, parts, rows
from nginxaudit.nginx.records import VARIABLE_FIELDS
from nginxaudit.nginx.version import FORKS, Nginx

_FILE = "variables.json"


class VariableFact(Struct, frozen=True):
    """One variable; with ``prefix`` it is a family such as ``arg_``."""

    name: str
    family: str
    module: str
    prefix: bool
    since: str | None
    plus_only: bool
    third_party: str | None
    also_in: tuple[str, ...]
    until: str | None
    deprecated: bool
    plus_since: str | None = None
    edition: str | None = None

    def available(self, target: Nginx) -> Availability:
        """Whether ``target`` knows this variable."""
        return availability(self, target)


@cache
def variables(family: str) -> dict[str, VariableFact]:
    """Variables of ``http`` or ``stream`` by their lower-case name; prefix families by their prefix."""
    facts = ((name, _fact(name, family)) for name in groups(_FILE))
    return {name: fact for name, fact in facts if fact is not None}


@cache
def _prefixes(family: str) -> tuple[VariableFact, ...]:
    facts = (_fact(name, family) for name in groups(_FILE) if name.endswith("_"))
    return tuple(fact for fact in facts if fact is not None and fact.prefix)


@lru_cache(maxsize=1024)
def variable(name: str, family: str) -> VariableFact | None:
    """The variable called ``name`` (any case), or the family it belongs to; None if nginx has none."""
    name = name.lower()
    fact = _fact(name, family)
    if fact is not None and not fact.prefix:
        return fact
    return next((each for each in _prefixes(family) if name.startswith(each.name)), fact)


def variable_of(name: str, family: str, target: Nginx) -> VariableFact | None:
    """The same for a target: the variable of its edition, or of a third-party module where nginx has none."""
    if target.edition in FORKS:
        own = _fork_variable(name.lower(), family, target.edition)
        if own is not None:
            return own
    return variable(name, family) or _module_variable(name.lower(), family)


@lru_cache(maxsize=1024)
def _fork_variable(name: str, family: str, edition: str) -> VariableFact | None:
    from nginxaudit.nginx.forks import rows_of

    for each in _beginnings(name):
        for fact in _facts(each, rows_of(edition, "variables", each) or (), family, edition):
            if each == name or fact.prefix:
                return fact
    return None


@lru_cache(maxsize=1024)
def _module_variable(name: str, family: str) -> VariableFact | None:
    known = parts("modules.json")["variables"]
    for each in _beginnings(name):
        for fact in _facts(each, decode(known[each]) if each in known else (), family, None):
            if each == name or fact.prefix:
                return fact
    return None


def _beginnings(name: str) -> list[str]:
    """``name`` and what families it may belong to: up to each of its underscores, the longest first."""
    ends = [end + 1 for end, letter in enumerate(name) if letter == "_"]
    return [name, *(name[:end] for end in reversed(ends))]


def _facts(name: str, found: Iterable[Any], family: str, edition: str | None) -> Iterator[VariableFact]:
    for row in found:
        value = {**VARIABLE_FIELDS, **dict(zip(VARIABLE_FIELDS, row, strict=False))}
        if value["family"] == family:
            yield _variable(name, value, edition)


@cache
def _fact(name: str, family: str) -> VariableFact | None:
    """What the data say of exactly this name."""
    found = None
    for fact in _facts(name, rows(_FILE, name), family, None):
        found = fact
    return found


def _variable(name: str, value: dict[str, Any], edition: str | None) -> VariableFact:
    return VariableFact(
        name=name,
        family=value["family"],
        module=value["module"] or "",
        prefix=value["prefix"],
        since=value["since"],
        plus_only=value["plus_only"],
        third_party=value["third_party"] or None,
        also_in=tuple(value["also_in"] or ()),
        until=value["until"],
        deprecated=value["deprecated"],
        edition=edition,
    )
