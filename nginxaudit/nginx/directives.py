"""What directives exist: where they may stand, how many arguments they take, since when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.json import decode

from nginxaudit.nginx.availability import Availability, availability, numbers
from nginxaudit.nginx.data_files import groups, parts, rows
from nginxaudit.nginx.records import DIRECTIVE_FIELDS, MODULE_FIELDS
from nginxaudit.nginx.version import FORKS, NEWEST, Nginx, after, own_version


class ArgCount(Struct, frozen=True):
    """How many arguments are allowed: ``counts`` if not contiguous, else ``minimum`` to ``maximum``."""

    minimum: int
    maximum: int | None
    counts: tuple[int, ...] | None = None
    flag: bool = False  # exactly one, on or off

    def accepts(self, count: int) -> bool:
        """Whether ``count`` arguments are allowed."""
        if self.counts is not None:
            return count in self.counts
        return count >= self.minimum and (self.maximum is None or count <= self.maximum)

    def __str__(self) -> str:
        if self.counts is not None:
            return " or ".join(map(str, self.counts))
        if self.maximum is None:
            return f"at least {self.minimum}" if self.minimum else "any number"
        if self.minimum == self.maximum:
            return str(self.minimum) if self.minimum else "none"
        return f"{self.minimum} to {self.maximum}"


class DirectiveFact(Struct, frozen=True):
    """One directive of one module. Fields as in README.md of this folder."""

    name: str
    module: str
    contexts: frozenset[str]
    args: ArgCount
    type: str
    block: bool
    since: str | None
    repeatable: bool | None
    repeat: str | None
    inherits: str | None
    inherits_with: tuple[str, ...]
    inheritable: bool
    default: str | None
    configure: str | None
    values: tuple[str, ...] | None
    bounds: tuple[int, int] | None
    third_party: str | None
    plus_only: bool
    until: str | None
    removed_in: str | None
    pseudo: bool
    also_in: tuple[str, ...]
    plus_since: str | None
    oss_since: str | None
    deprecated_in: str | None
    replacement: str | None
    ignored_since: str | None
    status: str
    note: str | None
    history: tuple[Mapping[str, Any], ...]
    edition: str | None = None

    def available(self, target: Nginx) -> Availability:
        """Whether ``target`` knows this directive."""
        if self.status == "unreleased" and not target.since(after(NEWEST)):
            return Availability.TOO_NEW
        return availability(self, target)

    def arguments(self, target: Nginx | None = None) -> ArgCount:
        """Argument counts as of the target's version (the newest without one)."""
        result = self.args
        if target is not None and self.history:
            for entry in self.history:
                if "args" in entry and self._is_reached(entry["version"], target):
                    result = _count(entry["args"])
        return result

    def contexts_for(self, target: Nginx) -> frozenset[str]:
        """Contexts in which the target's version allows the directive."""
        contexts = self.contexts
        for entry in self.history:
            if self._is_reached(entry["version"], target) is False:
                contexts = (contexts - set(entry.get("contexts_added") or ())) | set(
                    entry.get("contexts_removed") or ()
                )
        return contexts

    def _is_reached(self, text: str, target: Nginx) -> bool | None:
        """Whether the target has what a version changed; a fork's by its own versions. None: the version is of neither."""
        if self.edition is not None:
            return target.own is None or target.own >= own_version(text)
        version = numbers(text)
        return None if version is None else target.since(version)

    def ignored(self, target: Nginx) -> bool:
        """Still parsed by the target, without any effect."""
        return _reached(self.ignored_since, target)

    def deprecated(self, target: Nginx) -> bool:
        """Works in the target, which warns about it."""
        return _reached(self.deprecated_in, target)


def _reached(since: str | None, target: Nginx) -> bool:
    known = numbers(since) if since else None
    return known is not None and target.since(known)


def _count(values: Sequence[Any]) -> ArgCount:
    minimum, maximum, counts, flag = values
    return ArgCount(minimum, maximum, tuple(counts) if counts else None, flag)


@cache
def directives(name: str) -> tuple[DirectiveFact, ...]:
    """All facts about directives called ``name`` (case matters, as for nginx); empty if unknown."""
    return tuple(_fact(name, row) for row in rows("directives.json", name))


def facts_of(name: str, target: Nginx) -> tuple[DirectiveFact, ...]:
    """Facts about directives called ``name`` in the edition of ``target``."""
    if target.edition in FORKS:
        own = fork_facts(name, target.edition)
        if own is not None:
            return own
    return directives(name)


@cache
def fork_facts(name: str, edition: str) -> tuple[DirectiveFact, ...] | None:
    """Facts about ``name`` in a fork of nginx, empty if it lacks it; None where it has what nginx has."""
    from nginxaudit.nginx.forks import rows_of

    found = rows_of(edition, "directives", name)
    return None if found is None else tuple(_fact(name, row, edition=edition) for row in found)


@cache
def module_facts(name: str) -> tuple[DirectiveFact, ...]:
    """Facts about directives called ``name`` of third-party modules. Those that are loaded only where one is asked for."""
    found = parts("modules.json")["directives"].get(name)
    return () if found is None else tuple(_fact(name, row, MODULE_FIELDS) for row in decode(found))


@cache
def facts_for(name: str, context: str) -> tuple[DirectiveFact, ...]:
    """Facts about ``name`` that allow it in ``context`` in the newest version."""
    return tuple(fact for fact in directives(name) if context in fact.contexts)


@cache
def known_names() -> frozenset[str]:
    """Names of all directives, add-ons and removed ones included."""
    return frozenset(groups("directives.json"))


def is_block(name: str) -> bool:
    """Whether some directive called ``name`` takes a block."""
    return any(fact.block for fact in directives(name))


def _fact(
    name: str, row: list[Any], fields: Mapping[str, Any] = DIRECTIVE_FIELDS, edition: str | None = None
) -> DirectiveFact:
    value = {**DIRECTIVE_FIELDS, **dict(zip(fields, row, strict=False))}
    return DirectiveFact(
        name=name,
        module=value["module"],
        contexts=frozenset(value["contexts"]),
        args=_count((value["min_args"], value["max_args"], value["counts"], value["flag"])),
        type=value["type"],
        block=value["block"],
        since=value["since"],
        repeatable=value["repeatable"],
        repeat=value["repeat"],
        inherits=value["inherits"],
        inherits_with=tuple(value["inherits_with"] or ()),
        inheritable=value["inheritable"] is not False,
        default=value["default"],
        configure=value["configure"],
        values=tuple(value["values"]) if value["values"] else None,
        bounds=tuple(value["bounds"]) if value["bounds"] else None,
        third_party=value["third_party"],
        plus_only=value["plus_only"],
        until=value["until"],
        removed_in=value["removed_in"],
        pseudo=value["pseudo"],
        also_in=tuple(value["also_in"] or ()),
        plus_since=value["plus_since"],
        oss_since=value["oss_since"],
        deprecated_in=value["deprecated_in"],
        replacement=value["replacement"],
        ignored_since=value["ignored_since"],
        status=value["status"] or "current",
        note=value["note"],
        history=tuple(value["history"] or ()),
        edition=edition,
    )
