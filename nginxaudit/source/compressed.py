"""What is inside a file or a stream: text, gzip'd text, or a tar archive, gzip'd or not.

Everything is bounded: a gzip file of a megabyte can hold a gigabyte.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol, cast

from msgspec import Struct

from nginxaudit.source.limits import raised, spoken
from nginxaudit.source.read import ReadError, Unreadable, explain

MAX_ARCHIVE_BYTES = 1 << 30
"""Of one archive, unpacked: images of nginx have 0.2 GB, few with an application in them have more than 1 GB."""

MAX_RATIO = 200
"""How many times its own size gzip'd data may unpack to: configurations come to 20, images to 5, bombs to 1000."""

_HARMLESS = 32 << 20  # bytes up to which the ratio says nothing: a log of one repeated line is no bomb
_IN_MEMORY = 64 << 20  # larger archives from a stream wait in an unnamed temporary file
_BLOCK = 512
_CHUNK = 1 << 18
_ARCHIVE_NAMES = (".tar", ".tar.gz", ".tgz")
_GZIP = b"\x1f\x8b"
_OTHERS = (
    (b"BZh", "bzip2", "bzip2 -dc"),
    (b"\xfd7zXZ\0", "xz", "xz -dc"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -dc"),
    (b"PK\x03\x04", "zip", "unzip"),
)


class Content(Struct, frozen=True):
    """Bytes to be read. ``tar``: they are an archive and can be sought in; ``packed``: they were gzip'd."""

    file: BinaryIO
    tar: bool
    packed: bool


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def content_of(file: BinaryIO, name: str, *, seekable: bool, limit: int) -> Content:
    """What is in ``file``, which is called ``name``; text of at most ``limit`` bytes. Raises `ReadError`."""
    head = _first_block(file)
    if seekable:
        file.seek(0)
    else:
        file = _joined(head, file)
    try:
        content = _unpacked(file, limit) if head.startswith(_GZIP) else _plain(file, head, seekable)
    except ReadError:
        file.close()
        raise
    if not content.tar and name.endswith(_ARCHIVE_NAMES):
        content.file.close()
        raise ReadError(
            Unreadable.REFUSED, "it is no tar archive", "Make it anew: tar -cf FILE -C /etc/nginx ."
        )
    return content


def is_tar(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a tar archive: its first header's checksum is right."""
    field = head[148:156].strip(b" \0")
    if len(head) < _BLOCK or not field or not all(48 <= digit < 56 for digit in field):
        return False
    return int(field, 8) == sum(head[:148]) + 8 * 32 + sum(head[156:_BLOCK])


def _plain(file: BinaryIO, head: bytes, seekable: bool) -> Content:
    for magic, method, command in _OTHERS:
        if head.startswith(magic):
            raise ReadError(
                Unreadable.REFUSED, f"it is compressed with {method}", f"Unpack it first: {command}"
            )
    if not is_tar(head):
        return Content(file, tar=False, packed=False)
    if not seekable:
        file = _kept(iter(lambda: file.read(_CHUNK), b""), MAX_ARCHIVE_BYTES)
    return Content(file, tar=True, packed=False)


def _unpacked(file: BinaryIO, text_limit: int) -> Content:
    import gzip  # 5 ms that plain texts do not spend
    import zlib

    counted = _Counted(file)
    with gzip.GzipFile(fileobj=cast("Any", counted)) as unzipped:
        try:
            head = _first_block(unzipped)
            tar = is_tar(head)
            chunks = _guarded(head, unzipped, counted)
            kept = _kept(chunks, MAX_ARCHIVE_BYTES) if tar else _kept(chunks, text_limit, text=True)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            reason = "ends in the middle" if isinstance(error, EOFError) else "is damaged"
            raise ReadError(
                Unreadable.REFUSED, f"its gzip data {reason}", "Make or copy the file anew."
            ) from None
        except OSError as error:
            raise explain(error) from None
    file.close()
    return Content(kept, tar, packed=True)


def _guarded(head: bytes, unzipped: _Readable, counted: _Counted) -> Iterator[bytes]:
    """Chunks of unpacked data, as long as they are no bomb."""
    yield head
    size = len(head)
    while chunk := unzipped.read(_CHUNK):
        size += len(chunk)
        if size > _HARMLESS and size > MAX_RATIO * counted.count:
            raise ReadError(
                Unreadable.REFUSED,
                f"it unpacks to more than {MAX_RATIO} times its size: it looks like a bomb",
                "Unpack it yourself if you trust it.",
            )
        yield chunk


def _kept(chunks: Iterator[bytes], limit: int, *, text: bool = False) -> BinaryIO:
    """The chunks as a file at its begin. Raises `ReadError` when they are more than ``limit``."""
    import tempfile

    kept = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - whoever takes it closes it
    size = 0
    try:
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise ReadError(
                    Unreadable.LIMIT,
                    f"unpacked it is larger than {spoken(limit)}",
                    f"Split the configuration, {raised('max_file_size')}."
                    if text
                    else "Pack the configuration alone: tar -czf FILE -C /etc/nginx .",
                )
            kept.write(chunk)
    except BaseException:
        kept.close()
        raise
    kept.seek(0)
    return cast("BinaryIO", kept)


def _first_block(file: _Readable) -> bytes:
    """The first block of ``file``, whole even from a pipe that gives it in pieces."""
    head = b""
    while len(head) < _BLOCK and (chunk := file.read(_BLOCK - len(head))):
        head += chunk
    return head


class _Counted:
    """A stream, and how much of it was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.count += len(data)
        return data


class _Joined(io.RawIOBase):
    """The bytes that were looked at already, and the rest of a stream."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head = head
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or self._file.read(len(buffer))
        self._head = self._head[len(data) :]
        buffer[: len(data)] = data
        return len(data)


def _joined(head: bytes, file: BinaryIO) -> BinaryIO:
    return io.BufferedReader(_Joined(head, file))
