"""Which releases there were, as far as a version that a user names may be a mistake."""

from __future__ import annotations

from msgspec import Struct

from nginxaudit.nginx.version import NEWEST, NEWEST_DATE, Version, format_version

_LAST: dict[int, int] = {
    10: 3, 11: 13, 12: 2, 13: 12, 14: 2, 15: 12, 16: 1, 17: 10, 18: 0, 19: 10, 20: 2, 21: 6, 22: 1, 23: 4, 24: 0, 25: 5, 26: 3,
    27: 5, 28: 3, 29: 8, 30: 7, 31: 9,
}  # fmt: skip
"""Last release of each branch 1.N (https://nginx.org/en/CHANGES, https://nginx.org/en/CHANGES-1.26 and the like)."""
NEWEST_RELEASE: Version = (1, max(_LAST), _LAST[max(_LAST)])
"""The newest release of which anything is known."""
_STILL_MAINTAINED = 28  # branches from here on may have got releases after the facts were written


def doubt_about(version: Version) -> str:
    """What is to be said of a version that is not known to exist; empty for the others."""
    text, newest = format_version(version), format_version(NEWEST)
    major, minor, patch = version
    if NEWEST < version <= NEWEST_RELEASE:
        return f"directives are known up to nginx {newest}: what nginx {text} has added or changed since is not; its advisories are known"
    if version > NEWEST_RELEASE and (major > 1 or minor >= NEWEST_RELEASE[1]):
        newest = format_version(NEWEST_RELEASE)
        return f"nginx {text} is newer than the newest version that is known, {newest}: what has changed since is not known"
    last = _LAST.get(minor) if major == 1 else None
    if last is not None and patch > last:
        if minor >= _STILL_MAINTAINED:
            return f"nginx {text} is newer than the last version of 1.{minor} that is known, 1.{minor}.{last}"
        return f"there is no nginx {text}: the last version of 1.{minor} is 1.{minor}.{last}"
    if version < (1, min(_LAST), 0):
        return f"nginx {text} is older than the versions that are known well, those since 1.{min(_LAST)}.0"
    return ""


class Facts(Struct, frozen=True):
    """How new what is known about nginx is."""

    nginx: str = format_version(NEWEST)  # directives, parameters and variables are known up to this release
    nginx_date: str = NEWEST_DATE
    advisories: str = ""  # the day on which the list of advisories was made; empty: not said

    def __str__(self) -> str:
        known = f"directives known up to nginx {self.nginx} ({self.nginx_date})"
        return f"{known}, advisories up to {self.advisories}" if self.advisories else known

    @property
    def sentence(self) -> str:
        """The same, to stand alone."""
        return f"D{str(self)[1:]}"
