"""Globs as glob(3) reads them, on trees of strangers: no directory outside the fence is listed, nothing is endless.

A link to the directory it stands in makes ``*/*/*/*`` a tree that doubles at every level.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase, translate

from nginxaudit.source.fence import Fence
from nginxaudit.source.read import ReadError

_MAGIC = frozenset("*?[")
_LOOKED_AT = 200  # names that may be looked at, for each path that may be found


class TooManyError(Exception):
    """A glob matches, or looks at, more than it may."""


def is_pattern(argument: str) -> bool:
    """Whether nginx takes an ``include`` argument as a glob (it looks for ``*``, ``?`` and ``[``)."""
    return not _MAGIC.isdisjoint(argument)


def name_matches(name: str, pattern: str) -> bool:
    """Whether a glob without slashes matches a file's name, as in glob(3)."""
    return fnmatchcase(name, pattern) and (not name.startswith(".") or pattern.startswith("."))


class Globs:
    """The globs of one configuration.

    No directory outside ``fence`` is looked into. ``most`` is how many files are read at most: a glob may lead
    through as many directories, and match some more files.
    """

    def __init__(self, fence: Fence, most: int) -> None:
        self._fence = fence
        self._most = most
        self._left = _LOOKED_AT * most
        self._listed: dict[tuple[str, str], tuple[int, list[tuple[str, str]]]] = {}

    def expand(self, pattern: str) -> list[str]:
        """Paths that match, sorted as nginx's are (C locale). Raises `TooManyError` and `ReadError`.

        For a directory outside the fence the path of the rest of the glob in it stands, whatever is there.
        """
        parts = pattern.split("/")
        first = next(number for number, part in enumerate(parts) if is_pattern(part))
        start = "".join(f"{part}/" for part in parts[:first])
        found: list[str] = []
        real = self._fence.resolve(start or ".")
        bases = [(start, real)] if not self._fence.holds(real) or os.path.isdir(real) else []
        steps: list[tuple[str, str]] = []
        for number in range(first, len(parts)):
            steps = []
            for base, real in bases:
                if not self._fence.holds(real):
                    found.append(base + "/".join(parts[number:]))
                    continue
                steps += self._step(base, real, parts[number])
                if len(steps) > (4 * self._most if number == len(parts) - 1 else self._most):
                    self._left = 0
                    raise TooManyError
            bases = [(f"{path}/", real) for path, real in steps]
        return sorted([*found, *(path for path, _ in steps)], key=os.fsencode)

    def _step(self, base: str, real: str, part: str) -> Iterator[tuple[str, str]]:
        """What ``part`` stands for in the directory ``base``, each with its real path."""
        if part in ("", ".", ".."):
            if os.path.isdir(real):
                yield base + part, os.path.dirname(real) if part == ".." else real
        elif not is_pattern(part):
            there = os.path.join(real, part)
            if os.path.lexists(there):
                yield base + part, self._fence.resolve(there)
        else:
            for name, there in self._names(real, part):
                yield base + name, there

    def _names(self, real: str, part: str) -> list[tuple[str, str]]:
        """Names in a directory that fit ``part``, each with its real path.

        Links make one directory the child of many: it is listed once, and its names count every time.
        """
        known = self._listed.get((real, part))
        if known is None:
            known = self._listed[real, part] = self._list(real, part)
        looked_at, names = known
        self._left -= looked_at
        if self._left < 0:
            raise TooManyError
        return names

    def _list(self, real: str, part: str) -> tuple[int, list[tuple[str, str]]]:
        fits = re.compile(translate(part)).match
        hidden = part.startswith(".")
        looked_at, names = 0, []
        try:
            for entry in self._fence.entries(real):
                looked_at += 1
                if looked_at > self._left:
                    break
                if fits(entry.name) and (hidden or not entry.name.startswith(".")):
                    there = os.path.join(real, entry.name)
                    names.append((entry.name, self._fence.resolve(there) if entry.is_symlink() else there))
        except (OSError, ReadError):
            pass  # no directory, or one that may not be listed
        return looked_at, names
