"""Opening one file without surprises: no blocking on a FIFO, no reading of devices, no endless input."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import BinaryIO

from nginxaudit.source.limits import DEFAULTS, raised, spoken
from nginxaudit.source.text import SourceText

_CHUNK = 1 << 20


class Unreadable(Enum):
    """Why a file has no text."""

    MISSING = "missing"
    DIRECTORY = "directory"
    OUTSIDE = "outside"  # the read fence
    REFUSED = "refused"  # permissions, special files, binary, I/O errors
    LIMIT = "limit"  # more than one of the `Limits` allows


class ReadError(Exception):
    """A file that cannot be read. ``str()`` is a sentence for people, without the path."""

    def __init__(self, kind: Unreadable, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.remedy = remedy


_NOT_REGULAR = "Take it out of what is scanned; a stream can be given on standard input (-)."
_TOO_LARGE = f"Split the configuration, {raised('max_file_size')}."
_SPECIAL = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


def read_file(
    path: str,
    display: str,
    overlay: Mapping[str, str] | None = None,
    limit: int = DEFAULTS.max_file_size,
) -> SourceText:
    """Text of the regular file ``path`` of at most ``limit`` bytes, shown to people as ``display``.

    ``overlay`` maps real paths to texts that are read in place of what is on disk. Raises `ReadError`.
    """
    if overlay:
        real = os.path.realpath(path)
        if real in overlay:
            return SourceText(display, overlay[real], real)
    with open_regular(path) as file:
        require_small(os.fstat(file.fileno()).st_size, limit)
        try:
            data = read_bounded(file, limit)
        except OSError as error:
            raise explain(error) from None
    return SourceText(display, decode(data), os.path.realpath(path))


def open_regular(path: str) -> BinaryIO:
    """The regular file ``path``, open for reading; of any size. Raises `ReadError`."""
    try:
        # O_NONBLOCK: opening a FIFO without a writer would wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise explain(error) from None
    try:
        _require_regular(os.fstat(handle))
    except ReadError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_utf8(path: str) -> str:
    """Text of a file that is written for nginxaudit, not for nginx: strict UTF-8, lines end with LF.

    Raises `ReadError`.
    """
    text = read_file(path, path).text
    try:
        text.encode()  # bytes that are no UTF-8 are surrogates here
    except UnicodeEncodeError:
        raise ReadError(Unreadable.REFUSED, "it is not UTF-8 text", "Save it as UTF-8.") from None
    return text.replace("\r\n", "\n")


def read_bounded(file: BinaryIO, limit: int = DEFAULTS.max_file_size) -> bytes:
    """All bytes of ``file``. Raises `ReadError` past ``limit``."""
    chunks, size = [], 0
    while chunk := file.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise ReadError(Unreadable.LIMIT, f"larger than {spoken(limit)}", _TOO_LARGE)
        chunks.append(chunk)
    return b"".join(chunks)


def decode(data: bytes) -> str:
    """UTF-8 text of ``data``; bytes that are none survive as surrogate escapes.

    Raises `ReadError` for data with NUL bytes.
    """
    if b"\0" in data:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise ReadError(
                Unreadable.REFUSED,
                "it is UTF-16 text, which nginx cannot read",
                "Save it as UTF-8 without BOM.",
            )
        raise ReadError(Unreadable.REFUSED, "it is a binary file", "Give the path of a configuration text.")
    return data.decode("utf-8", "surrogateescape")


def is_below(real: str, roots: Iterable[str]) -> bool:
    """Whether the real path ``real`` is one of the real paths ``roots``, or below one."""
    return any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in roots)


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ReadError(Unreadable.DIRECTORY, "it is a directory", "Include its files: DIRECTORY/*.conf")
    for is_kind, word in _SPECIAL:
        if is_kind(status.st_mode):
            raise ReadError(Unreadable.REFUSED, f"it is {word}, not a regular file", _NOT_REGULAR)


def require_small(size: int, limit: int) -> None:
    """Raise `ReadError` for a file of more bytes than ``limit``."""
    if size > limit:
        raise ReadError(
            Unreadable.LIMIT, f"it has {size:,} bytes, more than the limit of {spoken(limit)}", _TOO_LARGE
        )


def explain(error: OSError) -> ReadError:
    """``error`` in words for people."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ReadError(Unreadable.MISSING, "there is no such file")
    if isinstance(error, PermissionError):
        return ReadError(Unreadable.REFUSED, "permission denied", "Run as a user who may read it.")
    if error.errno == errno.ELOOP:
        return ReadError(Unreadable.REFUSED, "its symbolic links form a loop", "Point one of them at a file.")
    if error.errno == errno.ENXIO:  # opening a socket
        return ReadError(
            Unreadable.REFUSED,
            "it is a socket or a device without a driver, not a regular file",
            _NOT_REGULAR,
        )
    if error.errno == errno.ENAMETOOLONG:
        return ReadError(Unreadable.MISSING, "the name is longer than the system allows")
    return ReadError(Unreadable.REFUSED, (error.strerror or "it cannot be read").lower())
