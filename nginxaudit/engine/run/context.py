"""The configuration that a file belongs to: the root that includes it, named in the settings or found upward.

The search stays inside the repository (up to the directory with ``.git``) or the installed prefix; outside
of both it ends a few directories up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from nginxaudit.source.files import INSTALL_PREFIXES
from nginxaudit.source.read import ReadError, is_below
from nginxaudit.source.root import Root, has_main_block
from nginxaudit.source.roots import ReadOptions, root_of_file
from nginxaudit.syntax.tree import Config

_MOST_LEVELS = 4  # directories looked at where no repository ends the search
_MOST_CANDIDATES = 20  # configurations tried in one directory


class Contexts:
    """Roots tried so far, each expanded once however many files are asked for."""

    def __init__(
        self, entries: tuple[str, ...], options: ReadOptions, expand: Callable[[Root], Config]
    ) -> None:
        self._entries = entries
        self._options = options
        self._expand = expand
        self._tried: dict[str, tuple[Root, Config] | None] = {}

    def of(self, path: str, real: str) -> tuple[Root, Config] | None:
        """The first root that includes the file ``path``, whose real path is ``real``; None if there is none."""
        candidates = self._entries or _upward(path)
        for candidate in candidates:
            found = self._root(candidate)
            if found is not None and any(source.real == real for source in found[1].sources.values()):
                return found
        return None

    def _root(self, path: str) -> tuple[Root, Config] | None:
        key = os.path.realpath(path)
        if key not in self._tried:
            self._tried[key] = None
            if not self._may_look(path, key):
                return None
            try:
                root = root_of_file(path, [os.path.dirname(path) or "."], self._options)
            except ReadError:
                return None  # it will be told when somebody asks for that file itself
            if has_main_block(root.source.text):
                self._tried[key] = root, self._expand(root)
        return self._tried[key]

    def _may_look(self, path: str, real: str) -> bool:
        """A link that leads out of the repository, or out of its directory where there is none, is not followed."""
        if self._options.allow_outside:
            return True
        directory = os.path.realpath(os.path.dirname(path) or ".")
        top = _top(directory) or directory
        return top in INSTALL_PREFIXES or is_below(real, [top])


def _upward(path: str) -> Iterator[str]:
    """Configurations that may include ``path``, nearest directories first."""
    directory = os.path.dirname(path)
    real = os.path.realpath(directory or ".")
    limit = _MOST_LEVELS if _top(real) is None else len(real)
    for _ in range(limit):
        yield from _configurations(directory, path)
        at = os.path.realpath(directory or ".")
        if at in (_top(real), os.path.dirname(at)):
            return
        directory = _parent(directory)


def _parent(directory: str) -> str:
    """One up, as the user would write it: relative stays relative."""
    if directory in ("", "."):
        return os.pardir
    if os.path.basename(directory) == os.pardir:
        return os.path.join(directory, os.pardir)
    return os.path.dirname(directory) or "."


def _top(real: str) -> str | None:
    """Directory that ends the search: the repository's, or an installed prefix."""
    at = real
    while True:
        if os.path.exists(os.path.join(at, ".git")) or at in INSTALL_PREFIXES:
            return at
        parent = os.path.dirname(at)
        if parent == at:
            return None
        at = parent


def _configurations(directory: str, path: str) -> list[str]:
    try:
        names = sorted(os.listdir(directory or "."))
    except OSError:
        return []
    own = os.path.basename(path)
    found = [name for name in names if name == "nginx.conf"]
    found += [name for name in names if name.endswith(".conf") and name not in ("nginx.conf", own)]
    return [os.path.join(directory, name) if directory else name for name in found[:_MOST_CANDIDATES]]
