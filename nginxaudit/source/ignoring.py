"""What a search of a directory leaves out: patterns as in ``.gitignore``, from there and from the user.

https://git-scm.com/docs/gitignore is followed to the letter: the last pattern that matches decides, a file nearer to the path
before one above it, and nothing below a directory that is left out comes back. Names are matched part by part,
so that no pattern takes more than the product of both lengths.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import translate

from msgspec import Struct

from nginxaudit.source.fence import Fence, read_file
from nginxaudit.source.links import real_path
from nginxaudit.source.read import ReadError, is_below
from nginxaudit.source.repository import repository_of

_NAME = ".gitignore"
_LONGEST = 1 << 20
_ESCAPED = re.compile(r"\\(.)")


class Pattern(Struct, frozen=True):
    """One line. ``parts`` are matched by the names of a path, None by any number of them."""

    parts: tuple[re.Pattern[str] | None, ...]
    negated: bool
    directory: bool

    def matches(self, names: Sequence[str]) -> bool:
        """Whether the path ``names`` is meant itself."""
        ends = {0}  # numbers of names that the parts so far may have taken
        for part in self.parts:
            if part is None:
                ends = set(range(min(ends), len(names) + 1)) if ends else ends
            else:
                ends = {end + 1 for end in ends if end < len(names) and part.match(names[end])}
        return len(names) in ends


def pattern_of(line: str) -> Pattern | None:
    """The pattern of a line; None for a comment or an empty line."""
    text = re.sub(r"(?<!\\)[ \t\r]+$", "", line)
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    text = text[negated:]
    directory = text.endswith("/")
    text = text.rstrip("/") if directory else text
    anchored = "/" in text
    names = text.removeprefix("/").split("/")
    parts = [None if name == "**" else _compiled(name) for name in names]
    if not anchored:
        parts.insert(0, None)
    if parts[-1] is None and anchored:  # all that is in the directory, not the directory itself
        parts.append(_compiled("*"))
    return Pattern(tuple(parts), negated, directory)


def patterns_of(lines: Iterable[str]) -> tuple[Pattern, ...]:
    """The patterns of ``lines``, in order."""
    return tuple(found for found in map(pattern_of, lines) if found is not None)


def _compiled(name: str) -> re.Pattern[str]:
    return re.compile(
        translate(_ESCAPED.sub(lambda found: f"[{found[1]}]" if found[1] in "*?[" else found[1], name))
    )


def decision(patterns: Sequence[Pattern], names: Sequence[str], *, directory: bool) -> bool | None:
    """Whether ``patterns`` leave the path ``names`` out; None where none of them matches."""
    for pattern in reversed(patterns):
        if (directory or not pattern.directory) and pattern.matches(names):
            return not pattern.negated
    return None


class Ignoring:
    """What is left out below the directory ``top``.

    ``exclude`` are patterns of the user: they are meant from ``top``, from the working directory or from ``base``.
    """

    def __init__(self, top: str, exclude: Iterable[str], base: str) -> None:
        self._exclude = patterns_of(exclude)
        self._bases = tuple(dict.fromkeys(map(os.path.abspath, (top, "", base))))
        real = real_path(top)
        self._home = repository_of(real) or real
        self._fence = Fence([self._home])
        self._files: dict[str, tuple[Pattern, ...]] = {}

    def excludes(self, path: str, *, directory: bool = False) -> bool:
        """Whether the user excludes ``path``."""
        if not self._exclude:
            return False
        absolute = os.path.abspath(path)
        return any(
            decision(self._exclude, os.path.relpath(absolute, base).split("/"), directory=directory)
            for base in self._bases
            if is_below(absolute, [base])
        )

    def excludes_named(self, path: str) -> bool:
        """Whether the user excludes the file ``path``, or a directory that it is in."""
        if self.excludes(path):
            return True
        directory = os.path.dirname(os.path.abspath(path))
        while directory != "/":
            if self.excludes(directory, directory=True):
                return True
            directory = os.path.dirname(directory)
        return False

    def leaves_out(self, path: str, real: str, *, directory: bool = False) -> bool:
        """Whether ``path``, whose real path is ``real``, is left out."""
        return self.excludes(path, directory=directory) or self._is_ignored(real, directory=directory)

    def _is_ignored(self, real: str, *, directory: bool) -> bool:
        at, names = os.path.dirname(real), [os.path.basename(real)]
        while is_below(at, [self._home]):
            patterns = self._patterns(at)
            decided = decision(patterns, names, directory=directory) if patterns else None
            if decided is not None:
                return decided
            if at == self._home:
                break
            names.insert(0, os.path.basename(at))
            at = os.path.dirname(at)
        return False

    def _patterns(self, directory: str) -> tuple[Pattern, ...]:
        found = self._files.get(directory)
        if found is None:
            path = os.path.join(directory, _NAME)
            try:
                text = read_file(path, path, self._fence, _LONGEST).text if os.path.lexists(path) else ""
            except ReadError:
                text = ""  # git does not follow it if it is a link, and reads no special file
            found = self._files[directory] = patterns_of(text.split("\n"))
        return found
