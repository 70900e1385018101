"""The members of a tar archive as a tree. Only headers are read; the texts when they are asked for."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from nginxaudit.source.read import ReadError, Unreadable, explain
from nginxaudit.source.tree import LONGEST_NAME, Data, Entry, Tree

MAX_HEADERS = 1_000_000
"""Of one archive: a member may come again and again, and counts once in its tree."""

LARGEST_HEADER = 16 << 20  # no header asks for more memory than that
_SPECIAL = {
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_CHUNK = 1 << 16


class FileData:
    """An archive that can be sought in."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, start: int, size: int) -> bytes:
        """Bytes of a member."""
        try:
            self._file.seek(start)
            return self._file.read(size)
        except OSError as error:
            raise explain(error) from None


def fill(tree: Tree, file: BinaryIO) -> None:
    """Put the members of the archive ``file`` into ``tree``. Raises `ReadError`."""
    data = FileData(file)
    read_headers(Wary(file), lambda info: tree.put(info.name, entry_of(info, data)))


def read_headers(file: Wary, take: Callable[[tarfile.TarInfo], None]) -> None:
    """Call ``take`` for every member. Raises `ReadError`."""
    count = 0
    try:
        with tarfile.open(
            fileobj=cast("Any", file), mode="r:", encoding="utf-8", errors="surrogateescape"
        ) as archive:
            while (info := archive.next()) is not None:
                cast("Any", archive).members = []  # they are kept elsewhere, in less memory
                count += 1
                if count > MAX_HEADERS:
                    raise ReadError(
                        Unreadable.REFUSED,
                        f"the tar archive has more than {MAX_HEADERS:,} members",
                        "Pack the configuration alone: tar -czf FILE -C /etc/nginx .",
                    )
                take(info)
        if file.last.strip(b"\0"):  # tarfile takes a broken header for the end
            raise tarfile.ReadError("a broken header")
    except (tarfile.TarError, EOFError, ValueError, OverflowError, OSError):
        raise ReadError(
            Unreadable.REFUSED,
            f"the tar archive is damaged after its member {count:,}",
            "Make or copy the archive anew.",
        ) from None


def entry_of(info: tarfile.TarInfo, data: Data, layer: int = 0) -> Entry | None:
    """A member as a file of a tree; None for a directory."""
    if info.isdir():
        return None
    if len(info.linkname) > LONGEST_NAME:
        return Entry(special="a link with an endless target", layer=layer)
    if info.issym() or info.islnk():
        return Entry(target=info.linkname, hard=info.islnk(), layer=layer)
    if info.issparse() or info.type not in _PLAIN:
        kind = _SPECIAL.get(info.type, "a sparse file" if info.issparse() else "special")
        return Entry(special=kind, layer=layer)
    return Entry(data, info.offset_data, info.size, layer=layer)


class Wary:
    """The file under an archive. It may be a stream: then it is skipped forward, and never sought back.

    ``last`` is the last block that was read.
    """

    def __init__(self, file: BinaryIO, *, stream: bool = False) -> None:
        self._file = file
        self._stream = stream
        self._at = 0
        self.last = b""

    def tell(self) -> int:
        """Offset in the archive."""
        return self._at

    def seek(self, at: int) -> None:
        """Go to an offset, in a stream not before this one."""
        if not self._stream:
            self._file.seek(at)
        elif at < self._at:
            raise tarfile.ReadError("back in a stream")
        else:
            left = at - self._at
            while left and (chunk := self._file.read(min(left, _CHUNK))):
                left -= len(chunk)
            at -= left
        self._at = at

    def read(self, size: int = -1) -> bytes:
        """The next bytes, all of them even from a stream that gives them in pieces."""
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError("a header of this size")
        data = self._file.read(size)
        while self._stream and len(data) < size and (more := self._file.read(size - len(data))):
            data += more
        self._at += len(data)
        self.last = data
        return data
