"""Files below a directory, each directory opened as the fence demands: no link is followed, no depth is endless."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from nginxaudit.source.fence import Fence
from nginxaudit.source.read import ReadError, Unreadable, explain

_DEEPEST = 100  # directories in directories; a tree of Linux has fewer than twenty


def files_below(
    directory: str,
    fence: Fence,
    unlisted: Callable[[str, ReadError], object],
    is_skipped: Callable[[str, str], bool] = lambda path, real: False,
) -> Iterator[tuple[str, str | None]]:
    """Paths below ``directory`` and their real paths (None for a link), sorted, each directory before those in it.

    ``unlisted`` is called for each directory that could not be listed; those that are ``is_skipped``, by path and real path, are left out.
    """
    todo = [(directory, fence.real(directory), 0)]
    while todo:
        base, real, depth = todo.pop()
        try:
            files, directories = _entries(fence, real)
        except ReadError as error:
            unlisted(base, error)
            continue
        for name, is_link in files:
            yield os.path.join(base, name), None if is_link else os.path.join(real, name)
        directories = [
            name for name in directories if not is_skipped(os.path.join(base, name), os.path.join(real, name))
        ]
        if directories and depth >= _DEEPEST:
            unlisted(base, _too_deep())
            continue
        todo += (
            (os.path.join(base, name), os.path.join(real, name), depth + 1) for name in reversed(directories)
        )


def _entries(fence: Fence, real: str) -> tuple[list[tuple[str, bool]], list[str]]:
    """Files of a directory, each with whether it is a link, and the directories in it that are none."""
    files, directories = [], []
    try:
        for entry in fence.entries(real):
            is_link = entry.is_symlink()
            if not _is_directory(entry):
                files.append((entry.name, is_link))
            elif not is_link:
                directories.append(entry.name)
    except OSError as error:
        raise explain(error) from None
    return sorted(files), sorted(directories)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _too_deep() -> ReadError:
    return ReadError(
        Unreadable.LIMIT,
        f"directories nested more than {_DEEPEST} levels deep were not searched",
        "Scan its parts.",
    )
