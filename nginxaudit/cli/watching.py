"""``nginxaudit scan --watch``: scan again whenever something changes that decided the report, until Ctrl-C."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from nginxaudit.engine.settings.files import candidates

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.engine.settings import Settings

_PAUSE = 0.5  # seconds between two looks: a save is seen at once, and looking costs next to nothing
_MOST_DIRECTORIES = 5_000  # of a tree; a look at them takes some milliseconds
_Times = dict[str, tuple[int, int, int]]


def watch(scan: Callable[[], Iterable[str]]) -> None:
    """Run ``scan``, which returns the paths that decide its result, and again after each change of them.

    Of a directory it is the names in it that count.
    """
    seen: _Times = {}
    try:
        while True:
            _clear()
            before = _times(path for path in seen if os.path.isfile(path))
            places = list(scan())
            # Nothing of the last scan is needed any more, and the process collects no garbage by itself.
            gc.collect()
            # What changed while it was read is a change; a report that was written changes its directory.
            seen = {**_times(places), **{path: before[path] for path in places if path in before}}
            sys.stdout.write("\nWaiting for changes. Ctrl-C ends.\n")
            sys.stdout.flush()
            while _times(seen) == seen:
                time.sleep(_PAUSE)
    except KeyboardInterrupt:
        sys.stdout.write("\n")


def places_of(paths: Iterable[str], report: Report) -> Iterator[str]:
    """The files that were read, and the directories in which others may appear."""
    sources = [source for source in report.sources.values() if os.path.isabs(source.real)]
    yield from (source.real for source in sources)
    # A link is in another directory than the file it leads to.
    names = (name for source in sources for name in (source.real, source.path))
    yield from dict.fromkeys(os.path.dirname(name) or "." for name in names)
    for path in paths:
        yield path
        yield from _directories(path if os.path.isdir(path) else os.path.dirname(path) or ".")


def settings_places(path: str, settings_file: str | None, settings: Settings | None) -> Iterator[str]:
    """Where the settings for ``path`` are or may appear, and what they name: rule pages and other files."""
    if settings_file is not None:
        yield settings_file
    else:
        yield from candidates(path)
    if settings is None:
        return
    named = (settings.baseline, settings.advisories, settings.nginx_v, *settings.env_file)
    yield from (file for file in named if file is not None and file != "-")
    for pages in settings.rules:
        yield pages
        for directory in _directories(pages):
            yield directory
            yield from (entry.path for entry in os.scandir(directory) if entry.name.endswith(".md"))


def _directories(top: str) -> Iterator[str]:
    """``top`` and the directories below it, without those of version control."""

    def walk() -> Iterator[str]:
        for directory, names, _ in os.walk(top):
            names[:] = sorted(name for name in names if name != ".git")
            yield directory

    return islice(walk(), _MOST_DIRECTORIES)


def _clear() -> None:
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[2J\x1b[3J\x1b[H")


def _times(paths: Iterable[str]) -> _Times:
    """Times of the last changes in nanoseconds and inode of each path; zero where it is gone.

    A tool may set the time of a content back, and the other one shows permissions, too.
    """
    found = {}
    for path in paths:
        try:
            status = os.stat(path)
            found[path] = status.st_mtime_ns, status.st_ctime_ns, status.st_ino
        except (OSError, ValueError):
            found[path] = 0, 0, 0
    return found
