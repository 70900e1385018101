"""The layers of a container image, one over the other, as one tree."""

from __future__ import annotations

import posixpath
import tarfile
import weakref
from typing import Any, BinaryIO, cast

from nginxaudit.source.compressed import is_tar, kept, method_of
from nginxaudit.source.files import INSTALL_PREFIXES
from nginxaudit.source.installed import DATABASES
from nginxaudit.source.read import ReadError, Unreadable
from nginxaudit.source.tartree import FileData, Wary, entry_of, read_headers
from nginxaudit.source.tree import Tree
from nginxaudit.source.unpack import unpacked

MAX_LAYER_BYTES = 16 << 30
"""Of one layer, unpacked: what is not needed of it is skipped, which takes no memory and little time."""

_HIDES = ".wh."  # before the name of what a layer removes from those below
_HIDES_ALL = ".wh..wh..opq"  # in a directory of which nothing of the layers below is seen
_OF_TOOLS = ".wh..wh."
_BLOCK = 512
_CHUNK = 1 << 18
_LARGEST_KEPT = 1 << 20
_MOST_KEPT = 64 << 20
_DATABASES = frozenset(path[1:] for path in DATABASES)
_LIKELY = tuple(f"{prefix[1:]}/" for prefix in INSTALL_PREFIXES)


def apply_layer(tree: Tree, file: BinaryIO, number: int) -> None:
    """Put the layer in ``file`` over those that ``tree`` holds; ``number`` is above theirs. Raises `ReadError`."""
    head = file.read(_BLOCK)
    file.seek(0)
    method = method_of(head)
    if method:
        packed = _Packed(file, method)
        _Layer(
            tree, packed, Wary(cast("Any", unpacked(file, method, MAX_LAYER_BYTES)), stream=True), number
        ).read()
    elif is_tar(head):
        _Layer(tree, FileData(file), Wary(file), number).read()
    elif head.strip(b"\0"):
        raise ReadError(
            Unreadable.REFUSED,
            "it is neither a tar archive nor compressed with gzip or zstd",
            "Make the image anew.",
        )


class _Packed:
    """The files of a compressed layer: those that are likely to be asked for are kept, others unpacked once more."""

    def __init__(self, file: BinaryIO, method: str) -> None:
        self._file = file
        self._method = method
        self._kept: dict[int, bytes] = {}
        self._left = _MOST_KEPT
        self._whole: FileData | None = None

    def wants(self, name: str, size: int) -> bool:
        """Whether the file ``name`` should be kept."""
        if name in _DATABASES:
            return size <= self._left
        return size <= min(_LARGEST_KEPT, self._left) and (name.endswith(".conf") or name.startswith(_LIKELY))

    def keep(self, start: int, data: bytes) -> None:
        """Keep the bytes of a file."""
        self._kept[start] = data
        self._left -= len(data)

    def read(self, start: int, size: int) -> bytes:
        """Bytes of a file."""
        data = self._kept.get(start)
        if data is not None:
            return data
        if self._whole is None:
            self._file.seek(0)
            stream = unpacked(self._file, self._method)
            remedy = "Make the image without compression: docker save IMAGE > FILE"
            whole = kept(iter(lambda: stream.read(_CHUNK), b""), remedy=remedy)
            weakref.finalize(self, whole.close)
            self._whole = FileData(whole)
        return self._whole.read(start, size)


class _Layer:
    def __init__(self, tree: Tree, data: _Packed | FileData, file: Wary, number: int) -> None:
        self._tree = tree
        self._data = data
        self._file = file
        self._number = number

    def read(self) -> None:
        """Put its members into the tree, and remove what they hide."""
        read_headers(self._file, self._take)

    def _take(self, info: tarfile.TarInfo) -> None:
        directory, _, last = info.name.rstrip("/").rpartition("/")
        if last.startswith(_HIDES):
            if last == _HIDES_ALL:
                self._tree.clear(directory, self._number)
            elif not last.startswith(_OF_TOOLS):
                self._tree.remove(posixpath.join(directory, last[len(_HIDES) :]), self._number)
            return
        entry = entry_of(info, self._data, self._number)
        self._tree.put(info.name, entry, self._number)
        if isinstance(self._data, _Packed) and entry is not None and entry.data is self._data:
            name = info.name.lstrip("./")
            if self._data.wants(name, entry.size) and self._file.tell() == entry.start:
                self._data.keep(entry.start, self._file.read(entry.size))
