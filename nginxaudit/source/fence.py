"""The read fence: which files may be opened, and opening exactly those.

Judging a path and opening it afterwards would be a race: a user who may write in the tree could put a link in the place
of a file or a directory between the two. So the real path is judged, and then opened from the top down, each name
relative to the open directory before it and without following a link: what is opened is what was judged, or nothing.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from nginxaudit.source.limits import DEFAULTS
from nginxaudit.source.links import changed, looped, real_path
from nginxaudit.source.read import (
    ReadError,
    Unreadable,
    decode,
    explain,
    read_bounded,
    require_regular,
    require_small,
)
from nginxaudit.source.text import SourceText

# O_NONBLOCK: opening a FIFO without a writer would wait for ever.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LISTED = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# On the way a directory is only entered: O_PATH (Linux) and O_SEARCH (macOS) need no permission to list it.
_ENTERED = getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY)) | os.O_DIRECTORY | os.O_CLOEXEC
# Where there is a link, or nothing, by now; FreeBSD says EMLINK for a link.
_SWAPPED = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENOENT, errno.EMLINK})
_LONGEST = 4096  # bytes of a path, as on Linux


class Fence:
    """The places (real paths of directories, or of single files) in which files may be opened; None: everywhere.

    ``resolve`` finds the real path of a path. It decides nothing: what it gives is judged, and opened without
    following any link.
    """

    __slots__ = ("_places", "resolve")

    def __init__(self, places: Iterable[str] | None, resolve: Callable[[str], str] = real_path) -> None:
        self._places = None if places is None else tuple(f"{place.rstrip('/')}/" for place in places)
        self.resolve = resolve

    def __str__(self) -> str:
        return ", ".join(place.rstrip("/") or "/" for place in self._places or "/")

    def holds(self, real: str) -> bool:
        """Whether the real path ``real`` is in one of the places."""
        return self._places is None or f"{real}/".startswith(self._places)

    def widened(self, places: Iterable[str]) -> Fence:
        """This fence around more places."""
        return self if self._places is None else Fence([*self._places, *places], self.resolve)

    def resolving(self, resolve: Callable[[str], str]) -> Fence:
        """This fence for paths whose links lead as ``resolve`` says."""
        return Fence(self._places, resolve)

    @property
    def places(self) -> tuple[str, ...] | None:
        """The places; None: everywhere."""
        return self._places and tuple(place.rstrip("/") or "/" for place in self._places)

    def real(self, path: str) -> str:
        """The real path of ``path``. Raises `ReadError` where it lies outside."""
        real = self.resolve(path)
        if not self.holds(real):
            raise outside()
        return real

    def open(self, path: str, real: str | None = None) -> tuple[BinaryIO, str]:
        """The regular file ``path``, of any size, open for reading, and its real path. Raises `ReadError`.

        ``real`` is what `real` gave for it, where that was asked for already.
        """
        real = real or self.real(path)
        if not self.holds(real):
            raise outside()
        try:
            if self.resolve is not real_path and os.path.islink(real):
                raise looped()
            if self.resolve is not real_path and real != os.path.abspath(path) and real != real_path(path):
                path = real  # a link that means another file than the system takes it for
            require_regular(os.stat(path))  # nothing else is opened: to open a device can do something
            # Where everything may be read, a path may lead to what has no other name: /dev/stdin, /proc/self/fd/3
            handle = os.open(path, _FILE) if self._places is None else _open(real, _FILE)
        except OSError as error:
            raise explain(error) from None
        try:
            require_regular(os.fstat(handle))
        except ReadError:
            os.close(handle)
            raise
        return os.fdopen(handle, "rb"), real

    def entries(self, real: str) -> Iterator[os.DirEntry[str]]:
        """What is in the directory whose real path is ``real``. Raises `ReadError`, and `OSError` while it is read.

        An entry is to be asked what it is before the next one is taken: afterwards the directory is closed.
        """
        if not self.holds(real):
            raise outside()
        try:
            handle = _open(real, _LISTED)
        except OSError as error:
            raise explain(error) from None
        try:
            with os.scandir(handle) as found:
                yield from found
        finally:
            os.close(handle)


EVERYWHERE = Fence(None)


def read_file(
    path: str,
    display: str,
    fence: Fence = EVERYWHERE,
    limit: int = DEFAULTS.max_file_size,
    real: str | None = None,
) -> SourceText:
    """Text of the regular file ``path`` of at most ``limit`` bytes, shown to people as ``display``.

    ``real`` is the real path that was judged, where it is known. Raises `ReadError`.
    """
    file, real = fence.open(path, real)
    with file:
        require_small(os.fstat(file.fileno()).st_size, limit)
        return SourceText(display, decode(read_bounded(file, limit)), real)


def read_utf8(path: str, fence: Fence = EVERYWHERE) -> str:
    """Text of a file that is written for nginxaudit, not for nginx: strict UTF-8, lines end with LF.

    Raises `ReadError`.
    """
    text = read_file(path, path, fence).text
    try:
        text.encode()  # bytes that are no UTF-8 are surrogates here
    except UnicodeEncodeError:
        raise ReadError(Unreadable.REFUSED, "it is not UTF-8 text", "Save it as UTF-8.") from None
    return text.replace("\r\n", "\n")


def _open(real: str, flags: int) -> int:
    """Open the real path ``real``. Raises `OSError`, and `ReadError` where there is a link on the way by now."""
    if len(real) > _LONGEST:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    *directories, name = real[1:].split("/")
    at = os.open("/", _ENTERED)
    try:
        for directory in directories:
            inside = os.open(directory, _ENTERED | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inside
        return os.open(name or ".", flags | os.O_NOFOLLOW, dir_fd=at)
    except OSError as error:
        if error.errno in _SWAPPED:
            raise changed() from None
        raise
    finally:
        os.close(at)


def outside(kind: Unreadable = Unreadable.OUTSIDE) -> ReadError:
    """What is said of a file outside."""
    return ReadError(
        kind,
        "it lies outside the scanned directory",
        "Scan the directory that contains both, or allow it with --allow-outside.",
    )
