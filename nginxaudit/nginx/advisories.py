"""Security advisories of nginx.org: which versions, and which feature must be in use."""

from __future__ import annotations

from functools import cache

from msgspec import Struct

from nginxaudit.nginx.availability import numbers
from nginxaudit.nginx.data_files import load
from nginxaudit.nginx.records import ADVISORY_FIELDS
from nginxaudit.nginx.version import Nginx, after


class Advisory(Struct, frozen=True):
    """One advisory. ``needs``: any of these features; ``needs_all``: all of these too."""

    cve: str
    severity: str
    title: str
    component: str
    vulnerable: tuple[tuple[str, str | None], ...]
    fixed: tuple[str, ...]
    needs: tuple[str, ...]
    needs_all: tuple[str, ...]
    platform: str | None
    note: str | None
    url: str | None

    def affects(self, target: Nginx) -> bool:
        """Whether ``target`` has the flaw: in a vulnerable range, and not behind a fix of its branch."""
        for first, last in self.vulnerable:
            # Without an end it was declared to be no vulnerability.
            low, high = numbers(first), numbers(last) if last is not None else None
            if low is not None and high is not None and target.since(low) and not target.since(after(high)):
                return not any(
                    fix is not None and target.since(fix) and not target.since((fix[0], fix[1] + 1, 0))
                    for fix in map(numbers, self.fixed)
                )
        return False


@cache
def advisories() -> tuple[Advisory, ...]:
    """All advisories, newest first."""
    found = []
    for row in load("advisories.json"):
        value = {**ADVISORY_FIELDS, **dict(zip(ADVISORY_FIELDS, row, strict=False))}
        found.append(
            Advisory(
                cve=value["cve"],
                severity=value["severity"],
                title=value["title"],
                component=value["component"],
                vulnerable=tuple((each["from"], each["to"]) for each in value["vulnerable"] or ()),
                fixed=tuple(value["fixed"] or ()),
                needs=tuple(value["needs"]),
                needs_all=tuple(value["needs_all"]),
                platform=value["platform"],
                note=value["note"],
                url=value["advisory"],
            )
        )
    return tuple(found)
