"""Writing changed configurations back: all of them or none, by rename, with the mode and owner they had."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence

from msgspec import Struct

from nginxaudit.source.read import is_below


class Change(Struct, frozen=True):
    """One file: its real path, the path it is shown as, and its text before and after."""

    real: str
    path: str
    before: str
    after: str


class WriteError(Exception):
    """Nothing was written; the message says which file cannot be, and why."""


def write_changes(changes: Sequence[Change], fence: Iterable[str]) -> None:
    """Put the texts in place. Nothing outside the directories of ``fence`` is touched.

    A file that is no longer what was read, or that may not be written, stops all of them.
    Raises `WriteError`.
    """
    roots = [os.path.realpath(root) for root in fence]
    for change in changes:
        _require_writable(change, roots)
    prepared: list[tuple[str, Change]] = []
    try:
        for change in changes:  # one by one: what was prepared is removed when the next one fails
            temporary = _prepare(change)
            prepared.append((temporary, change))
        for change in changes:
            _require_unchanged(change)
        for temporary, change in prepared:
            os.replace(temporary, change.real)
    except OSError as error:
        raise WriteError(f"nothing more was written: {error.filename}: {error.strerror}") from None
    finally:
        for temporary, _ in prepared:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def _require_writable(change: Change, roots: Sequence[str]) -> None:
    real = change.real
    if os.path.realpath(change.path) != real:
        raise WriteError(f"{change.path}: it is another file now than the one that was read; scan again")
    if not is_below(real, roots):
        raise WriteError(f"{change.path}: it lies outside the scanned directory and is not changed")
    if not os.access(real, os.W_OK) or _is_read_only(real):
        raise WriteError(f"{change.path}: it is read-only; nothing was written")
    if not os.access(os.path.dirname(real), os.W_OK):
        raise WriteError(f"{change.path}: its directory is read-only; nothing was written")
    if os.stat(real).st_nlink > 1:
        raise WriteError(
            f"{change.path}: it has several hard links, which writing would part; nothing was written"
        )
    _require_unchanged(change)


def _is_read_only(path: str) -> bool:
    """Whether nobody may write it: root may, and should not without being told."""
    return not os.stat(path).st_mode & 0o222


def _require_unchanged(change: Change) -> None:
    try:
        with open(change.real, "rb") as file:
            same = file.read() == _bytes(change.before)
    except OSError as error:
        raise WriteError(f"{change.path}: it cannot be read any more: {error.strerror}") from None
    if not same:
        raise WriteError(f"{change.path}: it was changed since it was read; nothing was written, scan again")


def _prepare(change: Change) -> str:
    """The new text in a file beside the old one, on the disk. Returns its path."""
    import tempfile  # 4 ms that who only reads does not spend

    status = os.stat(change.real)
    handle, temporary = tempfile.mkstemp(
        prefix=f".{os.path.basename(change.real)}.", dir=os.path.dirname(change.real)
    )
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_bytes(change.after))
            file.flush()
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
