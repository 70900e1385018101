"""Writing changed configurations back: all of them or none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from msgspec import Struct

from nginxaudit.source.directory import WriteError, open_directory
from nginxaudit.source.read import is_below
from nginxaudit.source.replace import Replacement, explained

_OPEN_FILES = 3  # of each change: the directory, the file and the new one
_FEW = 200  # open files that every system allows


class Change(Struct, frozen=True):
    """One file: its real path, the path it is shown as, and its text before and after."""

    real: str
    path: str
    before: str
    after: str


@contextmanager
def written(changes: Sequence[Change], fence: Iterable[str]) -> Iterator[None]:
    """Within, the texts are in place; when the block fails, the old ones are put back.

    Nothing outside the directories of ``fence`` is touched. A file that is no longer what was read, or that cannot
    be written, stops all of them: raises `WriteError`, which names it.
    """
    roots = [os.path.realpath(root) for root in fence]
    _allow_open_files(len(changes) * _OPEN_FILES)
    with ExitStack() as stack:
        prepared: list[tuple[Change, Replacement]] = []
        try:
            for change in changes:
                with _named(change):
                    prepared.append((change, _prepared(change, roots, stack)))
            for change, replacement in prepared:
                with _named(change):
                    _require_unchanged(change, replacement)
                    replacement.commit()
            yield
        except BaseException as error:
            lost = _undone(prepared)
            if lost or isinstance(error, WriteError):
                raise WriteError("; ".join([str(error), *(lost or ["nothing was written"])])) from None
            raise


@contextmanager
def _named(change: Change) -> Iterator[None]:
    """Within, an error that stops the writing says which file it is about."""
    try:
        with explained():
            yield
    except WriteError as error:
        raise WriteError(f"{change.path}: {error}") from None


def _prepared(change: Change, roots: Sequence[str], stack: ExitStack) -> Replacement:
    """The new text, ready to be put in place."""
    real = change.real
    if os.path.realpath(change.path) != real:
        raise WriteError("it is another file now than the one that was read, scan again")
    if not is_below(real, roots):
        raise WriteError("it is outside the scanned directory")
    head, name = os.path.split(real)
    directory = open_directory(head)
    try:
        if directory.path != head:
            raise WriteError("it is another file now than the one that was read, scan again")
        status = directory.status(name)
        if status is not None and not status.st_mode & 0o222:  # root may write it, and should not unasked
            raise WriteError("it is read-only")
        replacement = Replacement(directory, name)
    except BaseException:
        directory.close()
        raise
    stack.callback(replacement.close)
    _require_unchanged(change, replacement)
    replacement.file.write(_bytes(change.after))
    replacement.sync()
    return replacement


def _require_unchanged(change: Change, replacement: Replacement) -> None:
    content = replacement.content()
    if content is None:
        raise WriteError("it does not exist any more, scan again")
    if content != _bytes(change.before):
        raise WriteError("it was changed since it was read, scan again")


def _allow_open_files(count: int) -> None:
    """Raise the limit of open files, as far as the system lets us, where thousands of files are changed."""
    if count < _FEW:
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _FEW if hard == resource.RLIM_INFINITY else min(count + _FEW, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # opening says what is wrong
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _undone(prepared: Sequence[tuple[Change, Replacement]]) -> list[str]:
    """Put the old texts back. Returns what could not be, in words."""
    lost = []
    for change, replacement in reversed(prepared):
        try:
            replacement.undo()
        except WriteError as error:
            lost.append(f"the old text of {change.path} could not be put back: {error}")
    return lost


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
