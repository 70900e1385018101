"""Writing one file, safely: the only place that opens files for writing.

A symbolic link is followed only to a file beside it, and only when the user typed its name (`nginxaudit.source.directory`
says which links may lead to the directory). A file with several hard links is refused: renaming would part
them, and what is overwritten is half old and half new if the process is killed meanwhile. What exists keeps its mode, owner,
extended attributes and access control lists.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import BinaryIO, cast

from nginxaudit.source.directory import Directory, WriteError, open_directory

_CLOSED = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY
_OWN_STREAM = re.compile(r"/dev/std(out|err)|(?:/dev|/proc/self)/fd/(\d+)")
_OWN_NAME = re.compile(r"\.nginxaudit-[0-9a-f]{16}\.tmp")
_KINDS = (
    (stat.S_ISDIR, "it is a directory"),
    (stat.S_ISLNK, "it is a symbolic link to another one"),
    (stat.S_ISSOCK, "it is a socket"),
    (stat.S_ISBLK, "it is a block device"),
)


class WriteTarget:
    """What is written: ``file`` takes the content, `commit` makes it the content of the path."""

    file: BinaryIO
    key: tuple[object, ...] | None = None  # equal for paths of the same file

    def content(self) -> bytes | None:
        """Of the file that exists, or None. Raises `OSError`."""
        return None

    def commit(self) -> None:
        """Put the content in place. Raises `WriteError`; then the file is as it was."""

    def close(self) -> None:
        """Leave it; what was not put in place is removed."""
        with contextlib.suppress(OSError):  # on a full disk what is left in the buffer fails once more
            self.file.close()

    def __enter__(self) -> WriteTarget:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_target(path: str, *, follow: bool = False) -> WriteTarget:
    """Open ``path`` for writing: a `Replacement`, or a stream (a device, a FIFO, ``/dev/stdout``).

    ``follow``: it may be a symbolic link to a file beside it. Raises `WriteError`.
    """
    with explained():
        own = _OWN_STREAM.fullmatch(path)
        if own is not None:
            # Opened anew it would have its own position, and overwrite what others wrote to it.
            return _Stream(os.dup(int(own[2] or {"out": 1, "err": 2}[own[1]])))
        head, name = os.path.split(path)
        if name in ("", ".", ".."):
            raise WriteError("it is a directory" if path else "the name of the file is missing")
        directory = open_directory(head or ".")
        try:
            status = directory.status(name)
            if status is not None and stat.S_ISLNK(status.st_mode):
                name = _led_to(directory, name, status, follow)
                status = directory.status(name)
            if status is None or stat.S_ISREG(status.st_mode):
                return Replacement(directory, name)
            _require_stream(directory, status)
            target = _Stream(os.open(name, os.O_WRONLY | _CLOSED, dir_fd=directory.fd))
        except BaseException:
            directory.close()
            raise
        directory.close()
        return target


def _led_to(directory: Directory, name: str, status: os.stat_result, follow: bool) -> str:
    """The name in the same directory that a link leads to. Hidden files are not written: shells and git read them."""
    target = os.readlink(name, dir_fd=directory.fd)
    head, own = os.path.split(target)
    beside = os.path.realpath(os.path.join(directory.path, head)) == directory.path
    if not follow or not beside or own.startswith("."):
        raise WriteError(
            f"it is a symbolic link to {target}: give the path of that file if you mean it, or remove the link"
        )
    directory.require_owner(status)
    return own


def _require_stream(directory: Directory, status: os.stat_result) -> None:
    for is_kind, reason in _KINDS:
        if is_kind(status.st_mode):
            raise WriteError(reason)
    directory.require_owner(status)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Within, an `OSError` becomes a `WriteError`, which names no temporary file."""
    try:
        yield
    except OSError as error:
        raise WriteError(error.strerror or str(error)) from None


class _Stream(WriteTarget):
    """Something that is written to as it comes."""

    def __init__(self, fd: int) -> None:
        self.file = os.fdopen(fd, "wb")

    def commit(self) -> None:
        """Send what is left in the buffer. Raises `WriteError`."""
        with explained(), contextlib.suppress(BrokenPipeError):  # a reader that has seen enough is no error
            self.file.flush()


class Replacement(WriteTarget):
    """A regular file of which nothing changes before `commit`, and which `undo` puts back afterwards.

    The content is written to a new file in the same directory, which is renamed. Where this would change more
    than the content, the file is overwritten: it is a mount point (single files of containers are), its directory is
    read-only or becomes so, or its owner or attributes cannot be given to a new file.
    """

    def __init__(self, directory: Directory, name: str) -> None:
        """``directory`` is closed with this, unless it raises `WriteError` or `OSError`."""
        self._directory = directory
        self._name = name
        self._old: int | None = None
        self._temporary: str | None = None
        self._aside: str | None = None
        self._way_back: Callable[[], None] | None = None
        own = os.fstat(directory.fd)
        self.key = own.st_dev, own.st_ino, name
        try:
            self._open_old()
            self.file = self._open_new()
        except BaseException:
            self._leave()
            raise

    def content(self) -> bytes | None:
        """What the file holds before `commit`, or None when there is none. Raises `OSError`."""
        if self._old is None:
            return None
        with open(self._old, "rb", closefd=False) as file:
            file.seek(0)
            return file.read()

    def sync(self) -> None:
        """Have what was written to ``file`` on the disk, so that a full one is noticed before `commit`."""
        with explained():
            self.file.flush()
            if self._temporary is not None:
                os.fsync(self.file.fileno())

    def commit(self) -> None:
        """Put the content in place; `undo` takes it back. Raises `WriteError`; then the file is as it was."""
        with explained():
            self.file.flush()
            if not (self._set_aside() and self._put_in_place()):
                self._overwrite()

    def undo(self) -> None:
        """Put back what `commit` replaced, if it did. Raises `WriteError`."""
        if self._way_back is not None:
            with explained():
                self._way_back()
            self._way_back = None

    def close(self) -> None:
        """Leave it: what was committed stays, what was not is removed."""
        super().close()
        self._leave()
        self._directory.close()

    def _open_old(self) -> None:
        status = self._directory.status(self._name)
        if status is None:
            return
        self._directory.require_owner(status)
        self._old = os.open(self._name, os.O_RDWR | os.O_NONBLOCK | _CLOSED, dir_fd=self._directory.fd)
        status = os.fstat(self._old)
        if not stat.S_ISREG(status.st_mode):
            raise WriteError("it is not a regular file")
        if status.st_nlink > 1:
            left = self._left_behind(status)
            if left:
                raise WriteError(
                    f"a run that was killed left {left}, another name of the file: remove that name"
                )
            raise WriteError(
                f"it has {status.st_nlink} hard links: replacing it would part them, and overwriting it is not safe if "
                "the process is killed: put a copy in its place (cp -p F F.new && mv F.new F), or give another path"
            )

    def _left_behind(self, status: os.stat_result) -> str:
        """The second name of the file that an earlier run gave it for `undo` and could not remove; else empty."""
        for name in os.listdir(self._directory.path):
            if _OWN_NAME.fullmatch(name):
                other = self._directory.status(name)
                if other is not None and os.path.samestat(status, other):
                    return os.path.join(self._directory.path, name)
        return ""

    def _open_new(self) -> BinaryIO:
        """A new file beside the old one and like it; else a buffer for what overwrites the old one."""
        name = _new_name()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _CLOSED
        try:
            fd = os.open(name, flags, 0o666 if self._old is None else 0o600, dir_fd=self._directory.fd)
        except OSError:
            if self._old is None:
                raise
            return io.BytesIO()
        self._temporary = name
        file = cast(BinaryIO, os.fdopen(fd, "w+b"))
        if self._old is not None:
            try:
                _make_alike(self._old, fd)
            except OSError:
                file.close()
                self._unlink(name)
                self._temporary = None
                return io.BytesIO()
        return file

    def _set_aside(self) -> bool:
        """Give the old file a second name, for `undo`. False where that cannot be: on a mount point, for one."""
        if self._temporary is None:
            return False
        if self._old is None:
            return True
        aside = _new_name()
        fd = self._directory.fd
        try:
            os.link(self._name, aside, src_dir_fd=fd, dst_dir_fd=fd, follow_symlinks=False)
        except OSError:
            return False
        self._aside = aside
        self._require_same(aside)
        return True

    def _put_in_place(self) -> bool:
        """Rename the new file to the old one. False where that cannot be: the directory was closed in the meantime."""
        assert self._temporary is not None
        try:
            self._rename(self._temporary, self._name)
        except OSError:
            if self._old is None:
                raise
            return False
        self._temporary = None
        self._way_back = self._remove if self._old is None else self._bring_back
        return True

    def _overwrite(self) -> None:
        old, before = self._old, self.content()
        assert old is not None
        assert before is not None
        self._require_same(self._name)
        self.file.seek(0)
        after = self.file.read()
        self._way_back = lambda: _put(old, before)
        try:
            _put(old, after)
        except BaseException:
            try:
                self.undo()
            except WriteError as error:
                raise WriteError(
                    f"it is damaged: neither the new nor the old content could be written: {error}"
                ) from None
            raise

    def _require_same(self, name: str) -> None:
        assert self._old is not None
        status = self._directory.status(name)
        if status is None or not os.path.samestat(status, os.fstat(self._old)):
            raise WriteError("it was replaced by another file in the meantime")

    def _bring_back(self) -> None:
        assert self._aside is not None
        try:
            self._rename(self._aside, self._name)
        except OSError:  # the directory was closed in the meantime: at least the text comes back
            before = self.content()
            assert before is not None
            _put(self.file.fileno(), before)
        else:
            self._aside = None

    def _remove(self) -> None:
        os.unlink(self._name, dir_fd=self._directory.fd)

    def _rename(self, old: str, new: str) -> None:
        os.rename(old, new, src_dir_fd=self._directory.fd, dst_dir_fd=self._directory.fd)

    def _unlink(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self._directory.fd)

    def _leave(self) -> None:
        for name in filter(None, (self._temporary, self._aside)):
            self._unlink(name)
        if self._old is not None:
            os.close(self._old)


def _new_name() -> str:
    return f".nginxaudit-{os.urandom(8).hex()}.tmp"


def _make_alike(old: int, new: int) -> None:
    """Give the file ``new`` owner, mode and attributes of ``old``. Raises `OSError` where one cannot be given."""
    status = os.fstat(old)
    own = os.fstat(new)
    if (status.st_uid, status.st_gid) != (own.st_uid, own.st_gid):
        os.fchown(new, status.st_uid, status.st_gid)
    os.fchmod(new, stat.S_IMODE(status.st_mode))
    wanted, inherited = _attributes(old), _attributes(new)
    for name in inherited.keys() - wanted.keys():
        os.removexattr(new, name)
    for name, value in wanted.items():
        if inherited.get(name) != value:
            os.setxattr(new, name, value)


def _attributes(fd: int) -> dict[str, bytes]:
    """Extended attributes; access control lists and labels of SELinux are among them. Only Linux has them here."""
    if not hasattr(os, "listxattr"):
        return {}
    try:
        names = os.listxattr(fd)
    except OSError as error:
        if error.errno == errno.ENOTSUP:  # a file system without them
            return {}
        raise
    return {name: os.getxattr(fd, name) for name in names}


def _put(fd: int, content: bytes) -> None:
    """Overwrite a file. Until it is cut to its length it ends with empty lines, not with a piece of the old text."""
    os.lseek(fd, 0, os.SEEK_SET)
    view = memoryview(content.ljust(os.fstat(fd).st_size, b"\n"))
    while view:
        view = view[os.write(fd, view) :]
    os.ftruncate(fd, len(content))
    os.fsync(fd)
