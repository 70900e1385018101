"""Parameters of directives that have a grammar of their own, and what balancing methods make of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from msgspec import Struct

from nginxaudit.nginx.availability import Availability, availability, numbers
from nginxaudit.nginx.data_files import rows
from nginxaudit.nginx.records import BALANCER_FIELDS, PARAMETER_FIELDS
from nginxaudit.nginx.version import FORKS, Nginx


class ParameterFact(Struct, frozen=True):
    """One parameter of a directive; ``name`` None states something about the directive itself.

    ``kind`` is flag, number, time, size or string; ``unit`` narrows it.
    """

    directive: str
    module: str
    name: str | None
    kind: str | None
    default: str | None
    since: str | None
    plus_only: bool
    unit: str | None
    values: tuple[str, ...] | None
    conflicts_with: tuple[str, ...]
    requires: tuple[str, ...]
    also_in: tuple[str, ...]
    until: str | None
    removed_in: str | None
    plus_since: str | None
    oss_since: str | None
    deprecated_in: str | None
    replacement: str | None
    note: str | None
    third_party: str | None = None
    edition: str | None = None

    def available(self, target: Nginx) -> Availability:
        """Whether ``target`` knows this parameter."""
        return availability(self, target)


class BalancerFact(Struct, frozen=True):
    """What a balancing method makes of the parameters of ``server`` in one version."""

    method: str
    module: str
    accepts: frozenset[str]
    rejects: frozenset[str]
    backup: bool


@cache
def parameters(directive: str, family: str = "http") -> tuple[ParameterFact, ...]:
    """Parameters of ``directive`` in ``http``, ``stream`` or ``mail``."""
    return _parameters(directive, rows("parameters.json", directive), family, None)


def parameters_of(directive: str, family: str, target: Nginx) -> tuple[ParameterFact, ...]:
    """The same in the edition of ``target``: of a fork its own parameters, too."""
    if target.edition not in FORKS:
        return parameters(directive, family)
    own = _fork_parameters(directive, family, target.edition)
    names = {fact.name for fact in own}
    return (*own, *(fact for fact in parameters(directive, family) if fact.name not in names))


@cache
def _fork_parameters(directive: str, family: str, edition: str) -> tuple[ParameterFact, ...]:
    from nginxaudit.nginx.forks import rows_of

    return _parameters(directive, rows_of(edition, "parameters", directive) or (), family, edition)


def _parameters(
    directive: str, found: Iterable[Any], family: str, edition: str | None
) -> tuple[ParameterFact, ...]:
    facts = []
    for row in found:
        value = {**PARAMETER_FIELDS, **dict(zip(PARAMETER_FIELDS, row, strict=False))}
        if _family(value["module"]) == family:
            facts.append(_parameter(directive, value, edition))
    return tuple(facts)


def balancer(method: str, family: str, target: Nginx) -> BalancerFact | None:
    """What ``method`` accepts as of the target's version, or None for a method nobody knows."""
    for row in rows("balancers.json", method):
        value = {**BALANCER_FIELDS, **dict(zip(BALANCER_FIELDS, row, strict=False))}
        if _family(value["module"]) != family:
            continue
        accepts = value["accepts"]
        for change in value["history"] or ():
            version = numbers(change["version"])
            if version is not None and target.since(version):
                accepts = change["accepts"]
        return BalancerFact(
            method, value["module"], frozenset(accepts), frozenset(value["rejects"]), value["backup"]
        )
    return None


def _family(module: str) -> str:
    return module.split("_")[1] if module.startswith("ngx_") else "http"


def _parameter(directive: str, value: dict[str, Any], edition: str | None) -> ParameterFact:
    return ParameterFact(
        directive=directive,
        module=value["module"],
        name=value["parameter"],
        kind=value["kind"],
        default=value["default"],
        since=value["since"],
        plus_only=value["plus_only"],
        unit=value["unit"],
        values=tuple(value["values"]) if value["values"] else None,
        conflicts_with=tuple(value["conflicts_with"] or ()),
        requires=tuple(value["requires"] or ()),
        also_in=tuple(value["also_in"] or ()),
        until=value["until"],
        removed_in=value["removed_in"],
        plus_since=value["plus_since"],
        oss_since=value["oss_since"],
        deprecated_in=value["deprecated_in"],
        replacement=value["replacement"],
        note=value["note"],
        edition=edition,
    )
