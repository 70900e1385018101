"""Variables that nginx itself and its modules define."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from msgspec import Struct

from nginxaudit.nginx.availability import Availability, availability
from nginxaudit.nginx.data_files import groups, rows
from nginxaudit.nginx.records import VARIABLE_FIELDS
from nginxaudit.nginx.version import Nginx

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


@cache
def _fact(name: str, family: str) -> VariableFact | None:
    """What the data say of exactly this name."""
    found = None
    for row in rows(_FILE, name):
        value = {**VARIABLE_FIELDS, **dict(zip(VARIABLE_FIELDS, row, strict=False))}
        if value["family"] == family:
            found = _variable(name, value)
    return found


def _variable(name: str, value: dict[str, Any]) -> VariableFact:
    return VariableFact(
        name=name,
        family=value["family"],
        module=value["module"],
        prefix=value["prefix"],
        since=value["since"],
        plus_only=value["plus_only"],
        third_party=value["third_party"] or None,
        also_in=tuple(value["also_in"] or ()),
        until=value["until"],
        deprecated=value["deprecated"],
    )
