"""Archives and images to configurations: an archive is a tree of files, or holds images, whose layers make one."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from typing import BinaryIO, cast

from nginxaudit.source import image, tartree
from nginxaudit.source.archive import roots_of_tree
from nginxaudit.source.compressed import Content
from nginxaudit.source.fence import Fence
from nginxaudit.source.layers import apply_layer
from nginxaudit.source.limits import DEFAULTS, Limits
from nginxaudit.source.links import real_path
from nginxaudit.source.read import ReadError, Unreadable
from nginxaudit.source.root import Roots, Unread
from nginxaudit.source.tree import Directory, Tree


def roots_of_archive(
    content: Content, display: str, real: str, prefixes: Iterable[str], limits: Limits = DEFAULTS
) -> Roots:
    """Configurations of an archive, whose file is closed when they are forgotten. Raises `ReadError`."""
    tree = Tree(display, real, limits)
    weakref.finalize(tree, content.file.close)
    if content.kind == "zip":
        from nginxaudit.source import ziptree

        ziptree.fill(tree, content.file)
    else:
        tartree.fill(tree, content.file)
    tree.complete()
    if content.kind == "tar":
        store = _LayoutArchive(tree, content.file)
        if image.is_layout(store) and (images := image.images_in(store)):
            return _roots_of_images(images, store, display, real, prefixes, limits)
    return roots_of_tree(tree, prefixes)


def roots_of_layout(
    directory: str, fence: Fence, prefixes: Iterable[str], limits: Limits = DEFAULTS
) -> Roots | None:
    """Configurations of the images in a directory; None where it holds none. Raises `ReadError`."""
    store = LayoutDirectory(directory, fence)
    if not image.is_layout(store) or not (images := image.images_in(store)):
        return None
    display = os.path.normpath(directory)
    return _roots_of_images(images, store, display, real_path(directory), prefixes, limits)


def _roots_of_images(
    images: list[image.Image],
    store: image.Store,
    display: str,
    real: str,
    prefixes: Iterable[str],
    limits: Limits,
) -> Roots:
    found = Roots()
    empty: list[ReadError] = []
    for number, each in enumerate(images[: image.MAX_IMAGES], 1):
        label = "" if len(images) == 1 else f"#{each.name or number}"
        try:
            tree = tree_of(each, store, f"{display}{label}", f"{real}{label}", limits)
        except ReadError as error:
            found.unread.append(Unread(f"{display}{label}", error))
            continue
        try:
            found.take(roots_of_tree(tree, prefixes, each.started))
        except ReadError as error:
            empty.append(error)
            found.remarks.append(f"{tree.display}: {error}")
            continue
        if each.others:
            found.notes.append(
                f"{tree.display}: the image for {', '.join(dict.fromkeys(each.others))} was not analysed, "
                f"only that for {each.platform}"
            )
    if len(images) > image.MAX_IMAGES:
        reason = (
            f"it contains {len(images):,} images; those after the first {image.MAX_IMAGES} were not analysed"
        )
        found.unread.append(Unread(display, ReadError(Unreadable.LIMIT, reason, "Save them one by one.")))
    if not found:
        raise empty[0]
    return found


def tree_of(each: image.Image, store: image.Store, display: str, real: str, limits: Limits) -> Tree:
    """The files of an image. Raises `ReadError`."""
    if not each.platform.startswith("linux"):
        raise ReadError(
            Unreadable.REFUSED,
            f"it is an image for {each.platform}, not for Linux",
            "Save it with --platform linux/amd64.",
        )
    tree = Tree(display, real, limits, "image")
    tree.complete(whole=True)
    tree.source = store
    for number, name in enumerate(each.layers, 1):
        if not store.has(name):
            raise ReadError(
                Unreadable.REFUSED,
                f"layer {number} of {len(each.layers)} of the image is not there: {name}",
                "Save the image anew, with all of its layers.",
            )
        file = store.open(name)
        weakref.finalize(tree, file.close)
        try:
            apply_layer(tree, file, number)
        except ReadError as error:
            raise ReadError(
                error.kind, f"layer {number} of {len(each.layers)} of the image: {error}", error.remedy
            ) from None
    return tree


class _LayoutArchive:
    """A layout in a tar archive, at its top or in the only directory there."""

    def __init__(self, tree: Tree, file: BinaryIO) -> None:
        self._tree = tree
        self._file = file
        only = next(iter(tree.top), "") if len(tree.top) == 1 else ""
        self._base = f"{only}/" if isinstance(tree.top.get(only), Directory) else ""

    def has(self, name: str) -> bool:
        return self._real(name) is not None

    def open(self, name: str) -> BinaryIO:
        entry = self._tree.entry(self._real(name) or name, name)
        return cast("BinaryIO", Window(self._file, entry.start, entry.size))

    def _real(self, name: str) -> str | None:
        try:
            real = self._tree.follow(f"{self._base}{name}")
        except ReadError:
            return None
        return real if self._tree.is_plain(real) else None


class LayoutDirectory:
    """A layout in a directory."""

    def __init__(self, directory: str, fence: Fence) -> None:
        self._directory = directory
        self._fence = Fence(
            [fence.real(directory)]
        )  # whatever else may be read: manifests name no other files

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        try:
            return bool(name) and os.path.isfile(self._fence.real(os.path.join(self._directory, name)))
        except ReadError:
            return False

    def open(self, name: str) -> BinaryIO:
        """The file. Raises `ReadError`."""
        return self._fence.open(os.path.join(self._directory, name))[0]


class Window:
    """A part of a file, as a file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._at = 0

    def seek(self, at: int, whence: int = 0) -> int:
        """Go to an offset."""
        self._at = at + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        """Offset in this part."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        left = max(self._size - self._at, 0)
        self._file.seek(self._start + self._at)
        data = self._file.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def close(self) -> None:
        """The file is closed by whoever opened it."""

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
