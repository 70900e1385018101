"""Editions of nginx that others make, as targets."""

from __future__ import annotations

from nginxaudit.nginx.directives import directives, module_facts
from nginxaudit.nginx.forks import editions_with, releases
from nginxaudit.nginx.modules import module_of
from nginxaudit.nginx.version import FORKS, OwnVersion, Target


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
