"""The members of a zip archive as a tree. Nothing that the archive says about sizes is believed."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from typing import Any, BinaryIO, cast

from nginxaudit.source.limits import Limits, spoken
from nginxaudit.source.read import ReadError, Unreadable, explain
from nginxaudit.source.tree import LONGEST_NAME, Entry, Tree
from nginxaudit.source.unpack import Budget

_ENCRYPTED = 1  # of the flags
_DOS = 0  # "made by"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others cannot be unpacked a piece at a time
_LARGEST_DIRECTORY = 16 << 20


class ZipData:
    """The files of a zip archive by their numbers; all of them together are bounded."""

    def __init__(self, archive: zipfile.ZipFile, size: int, limits: Limits) -> None:
        self._archive = archive
        self._infos = archive.infolist()
        self._limit = limits.max_file_size
        self._budget = Budget(size)

    def read(self, start: int, size: int) -> bytes:
        """What the member number ``start`` unpacks to."""
        self._budget.take(0)  # nothing is unpacked any more once it was too much
        try:
            with self._archive.open(self._infos[start]) as file:
                data = file.read(self._limit + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            ValueError,
            RuntimeError,
        ):  # also NotImplementedError
            raise ReadError(Unreadable.REFUSED, "its data in the zip archive is damaged") from None
        except OSError as error:
            raise explain(error) from None
        if len(data) > self._limit:
            raise ReadError(Unreadable.LIMIT, f"unpacked it is larger than {spoken(self._limit)}")
        self._budget.take(len(data))
        return data

    def entry(self, number: int) -> Entry | None:
        """A member as a file of a tree; None for a directory."""
        info = self._infos[number]
        mode = info.external_attr >> 16 if info.create_system != _DOS else 0
        if info.is_dir() or stat.S_ISDIR(mode):
            return None
        if info.flag_bits & _ENCRYPTED:
            return Entry(special="an encrypted file")
        if info.compress_type not in _METHODS:
            return Entry(special="a file that is compressed in an unusual way")
        if stat.S_ISLNK(mode):
            return self._link(number, info)
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            return Entry(special="a special file")
        return Entry(self, number, info.file_size)

    def _link(self, number: int, info: zipfile.ZipInfo) -> Entry:
        if info.file_size > LONGEST_NAME:
            return Entry(special="a link with an endless target")
        try:
            target = self.read(number, info.file_size)
        except ReadError:
            return Entry(special="a link that is damaged")
        return Entry(target=target.decode("utf-8", "surrogateescape"))


class _Bounded:
    """The file under a zip archive, of which at most ``most`` bytes are read at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.most = _LARGEST_DIRECTORY
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, self.most + 1) if size >= 0 else self.most + 1)
        if len(data) > self.most:
            raise zipfile.BadZipFile("its directory is too large")
        return data


def fill(tree: Tree, file: BinaryIO) -> None:
    """Put the members of the zip archive ``file`` into ``tree``. Raises `ReadError`."""
    try:
        size = file.seek(0, 2)
        bounded = _Bounded(file)
        archive = zipfile.ZipFile(cast("Any", bounded))
        bounded.most = size
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError, struct.error) as error:
        raise ReadError(
            Unreadable.REFUSED, f"the zip archive cannot be read: {error}", "Make or copy the archive anew."
        ) from None
    data = ZipData(archive, size, tree.limits)
    for number, info in enumerate(archive.infolist()):
        name = info.filename
        if info.create_system == _DOS and "/" not in name:
            name = name.replace("\\", "/")
        if name and "\0" not in name:
            tree.put(name.rstrip("/") if not name.startswith("/") else name, data.entry(number))
