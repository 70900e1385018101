"""A directory as roots: what in it looks like nginx, and what of the rest has to be named.

Names of files decide little (`looks`): every file that is not of a kind that never holds a configuration is looked
into, once, as far as its first bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from msgspec import Struct, field

from nginxaudit.source.fence import Fence, read_file
from nginxaudit.source.files import DiskFiles
from nginxaudit.source.ignoring import Ignoring
from nginxaudit.source.kinds import is_skipped as is_skipped_name
from nginxaudit.source.kinds import kind_by_name
from nginxaudit.source.limits import raised
from nginxaudit.source.listing import files_below
from nginxaudit.source.looks import HEAD, Look, kind_of, look
from nginxaudit.source.placing import ReadOptions, context_of, disk, placed
from nginxaudit.source.read import ReadError, Unreadable
from nginxaudit.source.root import (
    Root,
    Roots,
    Unread,
    has_main_block,
    is_configuration_name,
    is_manifest_name,
)
from nginxaudit.source.text import SourceText

LOOKED_AT = 10
"""Files that are looked into, for each one that may be read."""
_SHOWN = 5  # names in a sentence


class _Found(Struct):
    """What a directory holds, by the paths of files."""

    candidates: list[str] = field(default_factory=list)
    foreign: dict[str, str] = field(default_factory=dict)  # with what it is
    backups: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # of all files, as they are shown


def roots_of_directory(path: str, fence: Fence, options: ReadOptions) -> Roots:
    """The configurations below ``path``. Raises `ReadError` where there is none."""
    more = Roots()
    tree = disk(path, fence, options)  # a link in the tree leads no further than an include
    found = _searched(path, fence, options, tree, more)
    _take(path, found.candidates, fence, options, tree, more)
    visible = [name for name in found.names if "/." not in name[len(path) :]]
    if any(map(is_manifest_name, visible)):
        from nginxaudit.source.kubernetes import roots_of_manifests

        limits = options.limits

        def read(name: str) -> SourceText:
            return read_file(name, os.path.normpath(name), fence, limits.max_file_size)

        more.take(roots_of_manifests(visible, read, limits))
    remarks = [*left_out(found.backups, found.left_out), *other_software(found.foreign)]
    if not more:
        raise ReadError(
            Unreadable.REFUSED,
            "; but ".join(["the directory contains no nginx configuration", *more.notes, *remarks]),
            "Give the path of the configuration file itself.",
        )
    more.remarks += remarks
    return more


def _searched(path: str, fence: Fence, options: ReadOptions, tree: DiskFiles, more: Roots) -> _Found:
    """What is below ``path``; each file once, however many links lead to it."""
    found = _Found()
    ignoring = Ignoring(path, options.exclude, options.base)
    seen: set[str] = set()
    top = fence.real(path)

    def is_skipped(directory: str, real: str) -> bool:
        name = os.path.basename(directory)
        if is_skipped_name(name):
            return True
        if ignoring.leaves_out(directory, real, directory=True):
            found.left_out.append(f"{os.path.normpath(directory)}/")
            return True
        return False

    entries = files_below(path, fence, _noting(more.unread), is_skipped)
    links = []
    for name, real in entries:
        if real is None:
            links.append(name)
        else:
            seen.add(real)
            _sort(name, real, ignoring, found)
    for name in links:  # what is a file itself comes first: findings stand at files
        real = name
        with suppress(ReadError):  # reported when the file is read
            real = tree.real(name)
        if real not in seen:
            seen.add(real)
            _sort(name, os.path.join(top, os.path.relpath(name, path)), ignoring, found)
    found.candidates.sort(key=lambda each: os.path.basename(each) != "nginx.conf")
    limit = options.limits.max_files
    most = limit * LOOKED_AT
    if len(found.candidates) > most:
        more.unread.append(Unread(os.path.normpath(path), too_many(len(found.candidates), most, "files")))
    found.candidates = [each for each in found.candidates[:most] if _looks_right(each, tree, found)]
    if len(found.candidates) > limit:
        more.unread.append(
            Unread(os.path.normpath(path), too_many(len(found.candidates), limit, "configuration files"))
        )
        del found.candidates[limit:]
    return found


def _sort(path: str, real: str, ignoring: Ignoring, found: _Found) -> None:
    """Put a file where its name says it belongs; only candidates are looked into."""
    directory, name = os.path.split(path)
    kind = kind_by_name(os.path.basename(directory), name)
    if kind == "other":
        return
    if ignoring.leaves_out(path, real):
        found.left_out.append(os.path.normpath(path))
    elif kind == "backup":
        found.backups.append(path)
    else:
        found.names.append(path)
        if kind != "manifest":
            found.candidates.append(path)


def _looks_right(path: str, tree: DiskFiles, found: _Found) -> bool:
    """Whether the file is to be read: it looks like nginx, or it ought to be looked at and cannot."""
    directory, name = os.path.split(path)
    is_named = is_configuration_name(os.path.basename(directory), name)
    try:
        head = tree.head(path, HEAD)
    except ReadError:
        return is_named  # reading it says why
    seen = look(head, path, named=is_named)
    if seen is Look.NGINX:
        return True
    if seen is Look.OTHER and is_named and not tree.is_written_link(path, head):
        found.foreign[path] = kind_of(head)
        return False
    return is_named


def _take(
    path: str, files: list[str], fence: Fence, options: ReadOptions, tree: DiskFiles, found: Roots
) -> None:
    seen: set[str] = set()
    for file in files:
        try:
            source = tree.read(file)
        except ReadError as error:
            found.unread.append(Unread(os.path.normpath(file), error))
            continue
        if source.real in seen:
            continue
        seen.add(source.real)
        if has_main_block(source.text):
            main_dir = os.path.dirname(file)
            files_of = placed(source, main_dir, _above(main_dir, path), fence, options, found)
            found.roots.append(Root(source, files_of, searched=True))
        else:  # its includes are relative to the configuration it belongs to: its root's directory
            place = context_of(source, options)
            found.loose.append(Root(source, disk(path, fence, options), searched=True, context=place))


def _above(directory: str, top: str) -> list[str]:
    """The directories above ``directory``, up to ``top``."""
    found = []
    while directory.rstrip("/") != top.rstrip("/") and len(directory) > len(top):
        directory = os.path.dirname(directory)
        found.append(directory)
    return found


def _noting(unread: list[Unread]) -> Callable[[str, ReadError], None]:
    return lambda path, error: unread.append(Unread(os.path.normpath(path), error))


def too_many(count: int, limit: int, noun: str) -> ReadError:
    """The reason why only ``limit`` of ``count`` were read."""
    return ReadError(
        Unreadable.LIMIT,
        f"it contains {count:,} {noun}; only the first {limit:,} were analysed",
        f"Scan its parts, {raised('max_files')}.",
    )


def left_out(backups: list[str], paths: list[str]) -> Iterable[str]:
    """Sentences on what was left out without a look."""
    yield from _named(backups, "backup file was", "backup files were", "skipped unless included")
    yield from _named(paths, "path was", "paths were", "excluded by .gitignore or --exclude")


def other_software(foreign: dict[str, str]) -> Iterable[str]:
    """Sentences on the files that are called like a configuration and are none, with what they are."""
    names = [f"{os.path.normpath(path)} ({kind})" if kind else path for path, kind in foreign.items()]
    yield from _named(names, "file does not look", "files do not look", "like nginx")


def _named(paths: list[str], singular: str, plural: str, said: str) -> Iterable[str]:
    if paths:
        count = len(paths)
        yield f"{count:,} {singular if count == 1 else plural} {said}: {listed(paths)}"


def listed(paths: Iterable[str]) -> str:
    """Some paths by name, the others by number."""
    names = [os.path.normpath(path) for path in paths]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
