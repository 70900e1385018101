"""Whether a target has something: by version, by edition, by module."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Protocol

from nginxaudit.nginx.version import Nginx, Version, after, own_version, parse_version


class Availability(Enum):
    """Why a target has something, or has it not."""

    YES = "yes"
    TOO_NEW = "too new"  # the target is older
    REMOVED = "removed"  # the target is newer
    PLUS_ONLY = "plus only"
    THIRD_PARTY = "third party"  # comes with a module that is not part of nginx
    OTHER_EDITION = "other edition"  # a fork has it


class Dated(Protocol):
    """What facts about directives, parameters and variables have in common."""

    @property
    def since(self) -> str | None: ...
    @property
    def until(self) -> str | None: ...
    @property
    def also_in(self) -> tuple[str, ...]: ...
    @property
    def plus_only(self) -> bool: ...
    @property
    def plus_since(self) -> str | None: ...
    @property
    def third_party(self) -> str | None: ...
    @property
    def edition(self) -> str | None: ...  # a fork, by whose versions it is dated


@lru_cache(maxsize=1024)
def numbers(text: str) -> Version | None:
    """Version of a fact, or None for an add-on's own version such as ``njs 0.4.0``."""
    try:
        return parse_version(text)
    except ValueError:
        return None


def availability(fact: Dated, target: Nginx) -> Availability:
    """Whether ``target`` has what ``fact`` describes."""
    if fact.edition is not None:
        return _in_fork(fact, target)
    if fact.third_party:
        return Availability.YES if fact.third_party in target.modules else Availability.THIRD_PARTY
    if fact.plus_only and target.edition != "plus":
        return Availability.PLUS_ONLY
    until = numbers(fact.until) if fact.until else None
    if until is not None and target.since(after(until)):
        return Availability.REMOVED
    since = numbers(fact.since) if fact.since else None
    if since is None or target.since(since) or _backported(fact.also_in, target):
        return Availability.YES
    if target.edition == "plus" and fact.plus_since:
        plus = numbers(fact.plus_since)
        if plus is None or target.since(plus):
            return Availability.YES
    return Availability.TOO_NEW


def _in_fork(fact: Dated, target: Nginx) -> Availability:
    """By the fork's own versions; where the target's is not known, it may have all that some version has."""
    if target.edition != fact.edition:
        return Availability.OTHER_EDITION
    if target.own is not None and fact.since and own_version(fact.since) > target.own:
        return Availability.TOO_NEW
    if target.own is not None and fact.until and own_version(fact.until) < target.own:
        return Availability.REMOVED
    return Availability.YES


def _backported(ranges: tuple[str, ...], target: Nginx) -> bool:
    for each in ranges:
        first, _, last = each.partition("-")
        low, high = numbers(first), numbers(last or first)
        if low is not None and high is not None and target.since(low) and not target.since(after(high)):
            return True
    return False
