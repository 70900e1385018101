"""Editions of nginx that others make: how they differ from the nginx that each of their releases is made of.

Nothing is loaded before one of them is the target, or a directive is looked for that nginx does not have.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import decode

from nginxaudit.nginx.data_files import content
from nginxaudit.nginx.directives import directives, module_facts
from nginxaudit.nginx.modules import module_of
from nginxaudit.nginx.version import FORKS, OwnVersion, Target, Version, own_version, parse_version


class _Data(Struct):
    releases: dict[str, str]
    directives: dict[str, Raw]
    variables: dict[str, Raw]
    parameters: dict[str, Raw]


@cache
def _data(edition: str) -> _Data:
    return decode(content(f"{edition}.json"), type=_Data)


def rows_of(edition: str, part: str, name: str) -> list[Any] | None:
    """What an edition says of a name in which it differs from nginx: nothing in it if it lacks it, None if it does not differ."""
    raw = getattr(_data(edition), part).get(name)
    return decode(raw) if raw is not None else None


@cache
def releases(edition: str) -> tuple[tuple[OwnVersion, Version], ...]:
    """Releases of an edition with the nginx that each is made of, the oldest first."""
    return tuple((own_version(own), parse_version(base)) for own, base in _data(edition).releases.items())


@cache
def editions_with(name: str) -> tuple[str, ...]:
    """The editions that have the directive ``name`` in a form that nginx does not have."""
    return tuple(edition for edition in FORKS if rows_of(edition, "directives", name))


def only_in(name: str) -> str | None:
    """The fork of which ``name`` must be: no other one, no third-party module and no nginx is known to have it."""
    found = editions_with(name)
    if len(found) != 1 or directives(name) or module_facts(name) or module_of(name):
        return None
    return found[0]


def target_of(edition: str, own: OwnVersion | None, modules: frozenset[str] = frozenset()) -> Target:
    """The target for one version of an edition, or for all that are known."""
    known = releases(edition)
    if own is None:
        return Target(known[-1][1], edition, modules, min(base for _, base in known), vendor=True)
    if edition == "openresty" and len(own) > 3:
        base = own[0], own[1], own[2]
    else:
        base = next((each for version, each in reversed(known) if version <= own), known[0][1])
    return Target(base, edition, modules, vendor=True, own=own)


def doubt_about(edition: str, own: OwnVersion) -> str:
    """What is to be said of a version of an edition that is not known; empty for the others."""
    newest, label = releases(edition)[-1][0], FORKS[edition]
    if own <= newest:
        return ""
    return f"directives are known up to {label} {dotted(newest)}: what {label} {dotted(own)} has changed since is not"


def dotted(version: OwnVersion) -> str:
    """A version of an edition as text."""
    return ".".join(map(str, version))
