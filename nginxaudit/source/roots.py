"""What was asked for, as roots: each is one configuration that nginx could be started with."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from nginxaudit.source.dump import is_dump, split_dump
from nginxaudit.source.files import INSTALL_PREFIXES, DiskFiles, DumpFiles, Files
from nginxaudit.source.read import ReadError, Unreadable, decode, explain, read_bounded, read_file
from nginxaudit.source.text import SourceText

STDIN = "-"
_MAIN_BLOCK = re.compile(r"^\s*(?:events|http|stream|mail)\s*(?:\{|$)", re.MULTILINE)
_SKIPPED_DIRECTORIES = frozenset({"node_modules", "__pycache__", "venv"})
_SITE_DIRECTORIES = frozenset({"sites-enabled", "sites-available"})  # Debian: names without an extension


@dataclass(frozen=True, slots=True)
class Root:
    """One text to start from and the files it may include.

    ``searched`` says that it was found in a directory rather than named: then it is a root only
    if no other root includes it.
    """

    source: SourceText
    files: Files
    searched: bool = False


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that was asked for and could not be read."""

    path: str
    error: ReadError


@dataclass(slots=True)
class Roots:
    """Everything behind the paths of one run.

    ``loose`` are configuration files of scanned directories that contain no main block: whoever
    is not included by a root is a fragment.
    """

    roots: list[Root] = field(default_factory=list)
    loose: list[Root] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How paths are turned into roots.

    ``prefix`` is the absolute directory where the scanned tree is installed on its target.
    ``overlay`` maps real paths to texts that are read in place of what is on disk.
    """

    prefix: str | None = None
    allow_outside: bool = False
    stdin_filename: str | None = None
    overlay: Mapping[str, str] | None = None


def find_roots(paths: Sequence[str], options: ReadOptions, stdin: BinaryIO | None = None) -> Roots:
    """Roots of ``paths``, in order. ``-`` reads ``stdin``. Never raises for bad input."""
    found = Roots()
    fence = [path if os.path.isdir(path) else os.path.dirname(path) or "." for path in paths if path != STDIN]
    for path in dict.fromkeys(paths):
        try:
            if path == STDIN:
                found.roots.append(_from_stdin(stdin, options))
            elif os.path.isdir(path):
                _from_directory(path, found, options)
            else:
                found.roots.append(root_of_file(path, fence, options))
        except ReadError as error:
            found.unread.append(Unread(path, error))
    return found


def root_of_file(path: str, fence: Sequence[str], options: ReadOptions) -> Root:
    """The root that is the file ``path``; a dump is one, too. Raises `ReadError`."""
    if not path or "\0" in path:
        raise ReadError(Unreadable.MISSING, "it is no path", "Give the path of a file or a directory.")
    source = read_file(path, os.path.normpath(path), options.overlay)
    if is_dump(source.text):
        return _from_dump(source.text)
    return Root(source, _disk(os.path.dirname(path), fence, options))


def has_main_block(text: str) -> bool:
    """Whether a text looks like a main configuration: a block that stands nowhere else begins a line."""
    return _MAIN_BLOCK.search(text) is not None


def _from_stdin(stdin: BinaryIO | None, options: ReadOptions) -> Root:
    if stdin is None:
        raise ReadError(Unreadable.REFUSED, "there is no standard input")
    text = decode(read_bounded(stdin))
    if not text.strip():  # `nginx -T` that failed prints nothing here: that must not look like a clean report
        raise ReadError(
            Unreadable.REFUSED,
            "standard input is empty",
            "See what the command before the pipe said on its standard error.",
        )
    if is_dump(text):
        return _from_dump(text)
    name = options.stdin_filename
    source = SourceText(os.path.normpath(name) if name else "<stdin>", text, f"stdin:{name or ''}")
    return Root(source, _disk(os.path.dirname(name or ""), [], options))


def _from_dump(text: str) -> Root:
    texts = split_dump(text)
    main = next(iter(texts))
    return Root(texts[main], DumpFiles(texts, main))


def _from_directory(path: str, found: Roots, options: ReadOptions) -> None:
    before = len(found.roots), len(found.loose), len(found.unread)
    files, unlisted = _configuration_files(path)
    found.unread.extend(unlisted)
    for file in files:
        try:
            source = read_file(file, os.path.normpath(file), options.overlay)
        except ReadError as error:
            found.unread.append(Unread(os.path.normpath(file), error))
            continue
        is_root = has_main_block(source.text)
        # A fragment's includes are relative to the configuration it belongs to: its root's directory.
        main_dir = os.path.dirname(file) if is_root else path
        root = Root(source, _disk(main_dir, [path], options), searched=True)
        (found.roots if is_root else found.loose).append(root)
    if before == (len(found.roots), len(found.loose), len(found.unread)):
        raise ReadError(
            Unreadable.REFUSED,
            "the directory holds no nginx configuration (nginx.conf or *.conf)",
            "Give the path of the configuration file itself.",
        )


def _configuration_files(directory: str) -> tuple[list[str], list[Unread]]:
    """Files below ``directory`` that look like configurations, ``nginx.conf`` first, each once.

    And the directories that could not be listed.
    """
    candidates: list[str] = []
    unlisted: list[Unread] = []

    def note(error: OSError) -> None:
        unlisted.append(Unread(os.path.normpath(error.filename), explain(error)))

    for base, directories, names in os.walk(directory, onerror=note):
        directories[:] = sorted(
            name for name in directories if not name.startswith(".") and name not in _SKIPPED_DIRECTORIES
        )
        sites = os.path.basename(base) in _SITE_DIRECTORIES
        candidates += (
            os.path.join(base, name)
            for name in sorted(names)
            if not name.startswith(".") and (name.endswith(".conf") or (sites and "." not in name))
        )
    candidates.sort(key=lambda path: os.path.basename(path) != "nginx.conf")
    first_names: dict[str, str] = {}
    for path in candidates:
        first_names.setdefault(os.path.realpath(path), path)
    return list(first_names.values()), unlisted


def _disk(main_dir: str, fence: Sequence[str], options: ReadOptions) -> DiskFiles:
    prefixes = (options.prefix,) if options.prefix else INSTALL_PREFIXES
    return DiskFiles(
        main_dir, fence, prefixes=prefixes, allow_outside=options.allow_outside, overlay=options.overlay
    )
