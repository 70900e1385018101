"""What is inside a file or a stream: text or an archive, compressed or not.

Everything is bounded: a file of a megabyte can hold a gigabyte.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal, TypeAlias, cast

from msgspec import Struct

from nginxaudit.source.limits import MAX_ARCHIVE_BYTES, raised, spoken
from nginxaudit.source.read import Readable, ReadError, Unreadable, explain

Kind: TypeAlias = Literal["text", "tar", "zip"]

_IN_MEMORY = 64 << 20  # larger archives from a stream wait in an unnamed temporary file
_BLOCK = 512
_CHUNK = 1 << 18
_METHODS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
_ARCHIVES = (".tar", ".tgz", ".tbz2", ".txz", ".tzst", ".zip", *(f".tar{suffix}" for suffix in SUFFIXES))
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the latter begins one without members


class Content(Struct, frozen=True):
    """Bytes to be read; an archive can be sought in. ``method`` is how they were compressed, "" for not at all."""

    file: BinaryIO
    kind: Kind
    method: str = ""


def is_archive_name(name: str) -> bool:
    """Whether a file is called like an archive."""
    return name.lower().endswith(_ARCHIVES)


def plain_name(name: str) -> str:
    """What a compressed file is called when it is unpacked."""
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def content_of(file: BinaryIO, name: str, *, seekable: bool, limit: int) -> Content:
    """What is in ``file``, which is called ``name``; text of at most ``limit`` bytes. Raises `ReadError`."""
    try:
        head = _first_block(file)
        if seekable:
            file.seek(0)
        else:
            file = _joined(head, file)
        content = (
            _unpacked(file, method, limit) if (method := method_of(head)) else _plain(file, head, seekable)
        )
    except OSError as error:
        file.close()
        raise explain(error) from None
    except BaseException:
        file.close()
        raise
    if content.kind == "text" and is_archive_name(name):
        content.file.close()
        raise ReadError(
            Unreadable.REFUSED,
            f"it is not a {'zip' if name.lower().endswith('.zip') else 'tar'} archive",
            "Make it anew: tar -cf FILE -C /etc/nginx .",
        )
    return content


def method_of(head: bytes) -> str:
    """How data that begins with ``head`` is compressed; "" for not at all."""
    return next((method for magic, method in _METHODS.items() if head.startswith(magic)), "")


def is_tar(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a tar archive: its first header's checksum is right."""
    field = head[148:156].strip(b" \0")
    if len(head) < _BLOCK or not field or not all(48 <= digit < 56 for digit in field):
        return False
    return int(field, 8) == sum(head[:148]) + 8 * 32 + sum(head[156:_BLOCK])


def _kind(head: bytes) -> Kind:
    if head.startswith(_ZIP):
        return "zip"
    return "tar" if is_tar(head) else "text"


def _plain(file: BinaryIO, head: bytes, seekable: bool) -> Content:
    kind = _kind(head)
    if kind != "text" and not seekable:
        file = kept(iter(lambda: file.read(_CHUNK), b""), remedy="Save it to a file and scan that.")
    return Content(file, kind)


def _unpacked(file: BinaryIO, method: str, limit: int) -> Content:
    from nginxaudit.source.unpack import unpacked  # plain texts do not need it

    stream = unpacked(file, method)
    head = _first_block(stream)
    kind = _kind(head)
    chunks = _chunks(head, stream)
    if kind == "text":
        plain = kept(chunks, limit, remedy=f"Split the configuration, {raised('max_file_size')}.")
    else:
        plain = kept(chunks, remedy="Unpack it and scan what is in it.")
    file.close()
    return Content(plain, kind, method)


def _chunks(head: bytes, file: Readable) -> Iterator[bytes]:
    yield head
    while chunk := file.read(_CHUNK):
        yield chunk


def kept(chunks: Iterator[bytes], limit: int = MAX_ARCHIVE_BYTES, *, remedy: str) -> BinaryIO:
    """The chunks as a file at its begin. Raises `ReadError` when they are more than ``limit``."""
    import tempfile

    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - whoever takes it closes it
    size = 0
    try:
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise ReadError(Unreadable.LIMIT, f"unpacked it is larger than {spoken(limit)}", remedy)
            file.write(chunk)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return cast("BinaryIO", file)


def _first_block(file: Readable) -> bytes:
    """The first block of ``file``, whole even from a pipe that gives it in pieces."""
    head = b""
    while len(head) < _BLOCK and (chunk := file.read(_BLOCK - len(head))):
        head += chunk
    return head


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
