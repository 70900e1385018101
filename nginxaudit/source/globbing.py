"""Globs as glob(3) reads them, on trees of strangers: no directory outside the fence is listed, nothing is endless.

A link to the directory it stands in makes ``*/*/*/*`` a tree that doubles at every level.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase, translate

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

    ``is_closed`` says that a directory may not be looked into; ``most`` is how many paths one glob may match.
    """

    def __init__(self, is_closed: Callable[[str], bool], most: int) -> None:
        self._is_closed = is_closed
        self._most = most
        self._left = _LOOKED_AT * most

    def expand(self, pattern: str) -> list[str]:
        """Paths that match, sorted as nginx's are (C locale). Raises `TooManyError`.

        For a directory that is closed the path of the rest of the glob in it stands, whatever is there.
        """
        parts = pattern.split("/")
        found, closed = [""], []
        for number, part in enumerate(parts):
            steps: list[str] = []
            for base in found:
                if is_pattern(part) or any(map(is_pattern, parts[:number])):
                    if self._is_closed(base or "."):
                        closed.append(base + "/".join(parts[number:]))
                        continue
                    steps += self._step(base, part)
                else:
                    steps.append(base + part)
                if len(steps) > self._most:
                    raise TooManyError
            last = number == len(parts) - 1
            found = steps if last else [f"{step}/" for step in steps]
        return sorted([*found, *closed], key=os.fsencode)

    def _step(self, base: str, part: str) -> Iterator[str]:
        if not is_pattern(part):
            if not part or os.path.lexists(base + part):
                yield base + part
            return
        try:
            names = os.listdir(base or ".")
        except OSError:
            return
        self._left -= len(names)
        if self._left < 0:
            raise TooManyError
        fits = re.compile(translate(part)).match
        hidden = part.startswith(".")
        yield from (base + name for name in names if fits(name) and (hidden or not name.startswith(".")))
