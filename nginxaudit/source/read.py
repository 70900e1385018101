"""What is read of a file, and why it may have no text: no special files, no endless input, no binary data."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from enum import Enum
from typing import BinaryIO, Protocol

from nginxaudit.source.limits import DEFAULTS, raised, spoken

_CHUNK = 1 << 20


class Unreadable(Enum):
    """Why a file has no text."""

    MISSING = "missing"
    DIRECTORY = "directory"
    OUTSIDE = "outside"  # the read fence
    LED_OUT = "led out"  # a name in the tree that leads out of it: a part of the configuration is missing
    FOREIGN = "foreign"  # other software's
    REFUSED = "refused"  # permissions, special files, binary, I/O errors
    LIMIT = "limit"  # more than one of the `Limits` allows


class Readable(Protocol):
    """What can be read from its begin to its end."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, none at the end."""


class ReadError(Exception):
    """A file that cannot be read. ``str()`` is a sentence for people, without the path."""

    def __init__(self, kind: Unreadable, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.remedy = remedy


_NOT_REGULAR = "Exclude it from the scan; a stream can be given on standard input (-)."
_TOO_LARGE = f"Split the configuration, {raised('max_file_size')}."
_SPECIAL = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


def read_bounded(file: BinaryIO, limit: int = DEFAULTS.max_file_size) -> bytes:
    """All bytes of ``file``. Raises `ReadError`, also past ``limit``."""
    chunks, size = [], 0
    try:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise ReadError(Unreadable.LIMIT, f"larger than {spoken(limit)}", _TOO_LARGE)
            chunks.append(chunk)
    except OSError as error:
        raise explain(error) from None
    return b"".join(chunks)


def read_start(file: BinaryIO, size: int) -> bytes:
    """The first ``size`` bytes of ``file``. Raises `ReadError`."""
    try:
        return file.read(size)
    except OSError as error:
        raise explain(error) from None


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
        raise ReadError(Unreadable.REFUSED, "it is a binary file", "Give the path of a text file.")
    return data.decode("utf-8", "surrogateescape")


def is_below(real: str, roots: Iterable[str]) -> bool:
    """Whether the real path ``real`` is one of the real paths ``roots``, or below one."""
    return any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in roots)


def require_regular(status: os.stat_result) -> None:
    """Raise `ReadError` for what is no regular file."""
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
