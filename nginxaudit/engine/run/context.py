"""The configuration that a file belongs to: the root that includes it, named in the settings or found upward.

The search goes up to the root of the repository, or to the installed prefix; outside of both only the directory of the
file itself is searched: what is above it is not known to be its business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from nginxaudit.source.fence import EVERYWHERE, Fence
from nginxaudit.source.files import is_installed
from nginxaudit.source.links import real_path
from nginxaudit.source.placing import ReadOptions
from nginxaudit.source.read import ReadError
from nginxaudit.source.repository import repository_of
from nginxaudit.source.root import Root, has_main_block
from nginxaudit.source.roots import root_of_file
from nginxaudit.syntax.tree import Config

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
        try:
            for candidate in self._entries or _upward(path):
                found = self._root(candidate)
                if found is not None and any(source.real == real for source in found[1].sources.values()):
                    return found
        except ReadError:  # a directory that is gone by now
            return None
        return None

    def _root(self, path: str) -> tuple[Root, Config] | None:
        key = real_path(path)
        if key not in self._tried:
            self._tried[key] = None
            directory = os.path.dirname(path) or "."
            # A link that leads out of the repository, or out of its directory where there is none, is not followed.
            home = EVERYWHERE if self._options.allow_outside else Fence([_top(real_path(directory))])
            try:
                root = root_of_file(path, home, self._options.fence_around([directory]), self._options)
            except ReadError:
                return None  # it will be told when somebody asks for that file itself
            if has_main_block(root.source.text):
                self._tried[key] = root, self._expand(root)
        return self._tried[key]


def _upward(path: str) -> Iterator[str]:
    """Configurations that may include ``path``, nearest directories first."""
    directory = os.path.dirname(path)
    real = real_path(directory or ".")
    top = _top(real)
    home = Fence([top])
    while home.holds(real):  # the directory above, as it is written, may be another one than that of a link
        yield from _configurations(directory, real, home, os.path.basename(path))
        if real == top:
            return
        directory = _parent(directory)
        real = real_path(directory)


def _parent(directory: str) -> str:
    """One up, as the user would write it: relative stays relative."""
    if directory in ("", "."):
        return os.pardir
    if os.path.basename(directory) == os.pardir:
        return os.path.join(directory, os.pardir)
    return os.path.dirname(directory) or "."


def _top(real: str) -> str:
    """Directory that ends the search: the installed prefix or the repository around ``real``, else that itself."""
    repository = repository_of(real)
    at = real
    while at != repository and not is_installed(at):
        parent = os.path.dirname(at)
        if parent == at:
            return repository or real
        at = parent
    return at


def _configurations(directory: str, real: str, home: Fence, own: str) -> list[str]:
    try:
        names = sorted(entry.name for entry in home.entries(real))
    except (OSError, ReadError):
        return []
    found = [name for name in names if name == "nginx.conf"]
    found += [name for name in names if name.endswith(".conf") and name not in ("nginx.conf", own)]
    return [os.path.join(directory, name) if directory else name for name in found[:_MOST_CANDIDATES]]
