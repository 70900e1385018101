"""The git repository around a path, as far as it bounds what may be read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from nginxaudit.source.fence import Fence
from nginxaudit.source.links import real_path
from nginxaudit.source.read import is_below


def repository_of(directory: str) -> str | None:
    """The root of the repository that holds the real path ``directory``, or None."""
    return next(_repositories(directory), None)


def home_of(path: str, base: str) -> Fence:
    """What a path that the user did not name may lead to: the repository that it is written to be in.

    Where there is none: ``base`` if it is in there, else its directory.
    """
    directory = os.path.dirname(os.path.abspath(path))
    found = [*map(real_path, _repositories(directory))]
    if not found:
        base = os.path.abspath(base)
        return Fence([real_path(base if is_below(directory, [base]) else directory)])
    # A link may lead into another repository: that is no part of the one around it.
    home = found.pop()
    for inner in reversed(found):
        if not is_below(inner, [home]):
            break
        home = inner
    return Fence([home])


def led_to(path: str) -> str | None:
    """Where a link in ``path`` leads to: below the working directory in all of it, elsewhere in its last name."""
    written, here = os.path.abspath(path), os.getcwd()
    start = here if is_below(written, [here]) else os.path.dirname(written)
    expected = os.path.normpath(os.path.join(real_path(start), os.path.relpath(written, start)))
    real = real_path(path)
    return None if real == expected else real


def is_planted(directory: os.stat_result, entry: os.stat_result) -> bool:
    """Whether another user has put ``entry`` in ``directory``, where every user can create files, such as ``/tmp``."""
    shared = directory.st_mode & stat.S_ISVTX and directory.st_mode & stat.S_IWOTH
    return bool(shared) and entry.st_uid not in (os.geteuid(), directory.st_uid)


def is_own(path: str) -> bool:
    """Whether something is there that is not planted (`is_planted`)."""
    try:
        return not is_planted(os.stat(os.path.dirname(path) or "."), os.lstat(path))
    except OSError:
        return False


def _repositories(directory: str) -> Iterator[str]:
    """Directories with a ``.git`` of any kind, from ``directory`` upward."""
    while True:
        if is_own(os.path.join(directory, ".git")):
            yield directory
        parent = os.path.dirname(directory)
        if parent == directory:
            return
        directory = parent
