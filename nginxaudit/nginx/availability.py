"""Whether a target has something: by version, by edition, by module."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Protocol

from nginxaudit.nginx.version import Nginx, Version, after, parse_version


class Availability(Enum):
    """Why a target has something, or has it not."""

    YES = "yes"
    TOO_NEW = "too new"  # the target is older
    REMOVED = "removed"  # the target is newer
    PLUS_ONLY = "plus only"
    THIRD_PARTY = "third party"  # comes with a module that is not part of nginx


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


@lru_cache(maxsize=1024)
def numbers(text: str) -> Version | None:
    """Version of a fact, or None for an add-on's own version such as ``njs 0.4.0``."""
    try:
        return parse_version(text)
    except ValueError:
        return None


def availability(fact: Dated, target: Nginx) -> Availability:
    """Whether ``target`` has what ``fact`` describes."""
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


def _backported(ranges: tuple[str, ...], target: Nginx) -> bool:
    for each in ranges:
        first, _, last = each.partition("-")
        low, high = numbers(first), numbers(last or first)
        if low is not None and high is not None and target.since(low) and not target.since(after(high)):
            return True
    return False
