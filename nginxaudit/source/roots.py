"""What was asked for, as roots: each is one configuration that nginx could be started with."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import BinaryIO

from msgspec import Struct, field

from nginxaudit.source.compressed import Content, content_of, plain_name
from nginxaudit.source.dump import is_dump, refuse_failed, roots_of_dumps, tell_apart
from nginxaudit.source.envsubst import Filling
from nginxaudit.source.fence import EVERYWHERE, Fence, read_file, real_path
from nginxaudit.source.files import INSTALL_PREFIXES, DiskFiles, Texts
from nginxaudit.source.limits import DEFAULTS, Limits, raised
from nginxaudit.source.listing import files_below
from nginxaudit.source.prefix import Places, inferred
from nginxaudit.source.read import ReadError, Unreadable, decode, read_bounded
from nginxaudit.source.repository import home_of
from nginxaudit.source.root import (
    Root,
    Roots,
    Unread,
    has_main_block,
    is_configuration_name,
    is_manifest_name,
)
from nginxaudit.source.text import SourceText

STDIN = "-"
_MANIFEST = r"""\A\s*\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\})|^(?:apiVersion|kind)[ \t]*:[ \t]*["'{\w]"""
_SKIPPED_DIRECTORIES = frozenset({"node_modules", "__pycache__", "venv"})


class ReadOptions(Struct, frozen=True):
    """How paths are turned into roots.

    ``prefix`` is the absolute directory where the scanned tree is installed on its target.
    ``texts`` are those that the run has read already.
    ``named`` says that the user named the paths: what they lead to is meant. Other paths (changed files, what
    is read without a PATH) may not lead out of their repository, or where there is none out of ``base``.
    """

    prefix: str | None = None
    allow_outside: bool = False
    stdin_filename: str | None = None
    texts: Texts = field(default_factory=Texts)
    limits: Limits = DEFAULTS
    named: bool = True
    base: str = "."

    def home_of(self, path: str) -> Fence:
        """What the path of the run ``path`` may lead to."""
        return EVERYWHERE if self.named or self.allow_outside else home_of(path, self.base)

    def fence_around(self, directories: Iterable[str]) -> Fence:
        """What configurations in ``directories`` may include."""
        return EVERYWHERE if self.allow_outside else Fence(dict.fromkeys(map(real_path, directories)))


def find_roots(paths: Sequence[str], options: ReadOptions, stdin: BinaryIO | None = None) -> Roots:
    """Roots of ``paths``, in order. ``-`` reads ``stdin``. Never raises for bad input."""
    found = Roots()
    fence = _fence(paths, options)
    for path in dict.fromkeys(paths):
        try:
            if path == STDIN:
                found.take(_from_stdin(stdin, options))
                continue
            _require_home(path, options)
            if os.path.isdir(path):
                _from_directory(path, found, options)
            else:
                found.take(_from_file(path, fence, options))
        except ReadError as error:
            found.unread.append(Unread(path, error))
    tell_apart(found.roots)
    return found


def root_of_file(path: str, home: Fence, fence: Fence, options: ReadOptions) -> Root:
    """The root that is the configuration file ``path`` in ``home``. Raises `ReadError`."""
    return Root(_source(path, home, options), _disk(os.path.dirname(path), fence, options))


def _source(path: str, home: Fence, options: ReadOptions) -> SourceText:
    if not path or "\0" in path:
        raise ReadError(Unreadable.MISSING, "it is no path", "Give the path of a file or a directory.")
    return options.texts.read(path, home)


def _fence(paths: Iterable[str], options: ReadOptions) -> Fence:
    """What the files among ``paths`` may include: what is in the directories of all of them."""
    if options.allow_outside:
        return EVERYWHERE
    places = []
    for path in paths:
        if path != STDIN:
            with suppress(ReadError):  # reported for the path itself
                place = real_path(path if os.path.isdir(path) else os.path.dirname(path) or ".")
                if options.home_of(path).holds(place):
                    places.append(place)
    return Fence(dict.fromkeys(places))


def _require_home(path: str, options: ReadOptions) -> None:
    home, real = options.home_of(path), real_path(path)
    if not home.holds(real):
        raise ReadError(
            Unreadable.OUTSIDE,
            f"it is a symbolic link to {real}, outside {home}",
            "If you trust it, name it as a PATH, without --changed.",
        )


def _from_file(path: str, fence: Fence, options: ReadOptions) -> Roots:
    """The configurations in a file of any kind."""
    home = options.home_of(path)
    if "\0" not in path and path and not options.texts.replaces(path):
        file, real = home.open(path)
        content = content_of(file, path, seekable=True, limit=options.limits.max_file_size)
        if content.kind != "text" or content.method:
            return _from_content(content, os.path.normpath(path), real, fence, options)
        content.file.close()
    if _is_manifest_name(path):
        return _from_manifest(options.texts.read(path, home), options)
    return _of_text(_source(path, home, options), os.path.dirname(path), fence, options)


def _is_manifest_name(path: str) -> bool:
    return is_manifest_name(plain_name(path))


def _looks_like_manifest(text: str) -> bool:
    """Whether a text without a name is a manifest: JSON, or YAML with what every object of Kubernetes has."""
    return re.search(_MANIFEST, text.removeprefix("\ufeff"), re.MULTILINE) is not None


def _from_manifest(source: SourceText, options: ReadOptions) -> Roots:
    from nginxaudit.source.manifest import roots_of_manifest  # 4 ms that other runs do not spend

    return roots_of_manifest(source, options.limits)


def _from_content(content: Content, display: str, real: str, fence: Fence, options: ReadOptions) -> Roots:
    """The configurations in an archive, or in text that was compressed: its ``real`` is no place on disk."""
    if content.kind != "text":
        from nginxaudit.source.packed import roots_of_archive

        return roots_of_archive(content, display, real, _prefixes(options), options.limits)
    with content.file:
        source = SourceText(
            display,
            decode(read_bounded(content.file, options.limits.max_file_size)),
            f"{content.method}:{real}",
        )
    _require_text(source.text, "the compressed text is empty")
    if _is_manifest_name(display) or _looks_like_manifest(source.text):
        return _from_manifest(source, options)
    return _of_text(source, os.path.dirname(display), fence, options)


def _from_stdin(stdin: BinaryIO | None, options: ReadOptions) -> Roots:
    if stdin is None:
        raise ReadError(Unreadable.REFUSED, "there is no standard input")
    name = options.stdin_filename
    display = os.path.normpath(name) if name else "<stdin>"
    fence = options.fence_around([os.path.dirname(name or "") or "."])
    content = content_of(stdin, name or "", seekable=False, limit=options.limits.max_file_size)
    if content.kind != "text" or content.method:
        return _from_content(content, display, display, fence, options)
    text = decode(read_bounded(content.file, options.limits.max_file_size))
    _require_text(text, "standard input is empty")
    source = SourceText(display, text, f"stdin:{name or ''}")
    if _is_manifest_name(name or "") or _looks_like_manifest(text):
        return _from_manifest(source, options)
    return _of_text(source, os.path.dirname(name or ""), fence, options)


def _require_text(text: str, otherwise: str) -> None:
    """`nginx -T` that failed prints nothing into a pipe: that must not look like a clean report."""
    if not text.strip():
        raise ReadError(
            Unreadable.REFUSED, otherwise, "See what the command before the pipe said on its standard error."
        )


def _of_text(source: SourceText, main_dir: str, fence: Fence, options: ReadOptions) -> Roots:
    """What a text is: dumps, or a configuration whose files are on disk."""
    if is_dump(source.text):
        return roots_of_dumps(source)
    refuse_failed(source.text)
    found = Roots()
    files = _placed(source, main_dir, [], fence, options, found)
    found.roots.append(Root(source, files, context=_context(source, options)))
    return found


def _context(source: SourceText, options: ReadOptions) -> str | None:
    """Where the nginx image includes what it makes of a template; None for other files."""
    filling = options.texts.filling
    return "stream" if filling is not None and filling.is_stream(source.path) else None


def _from_directory(path: str, found: Roots, options: ReadOptions) -> None:
    fence = options.fence_around([options.home_of(path).real(path)])
    if any(os.path.isfile(os.path.join(path, name)) for name in ("manifest.json", "oci-layout")):
        from nginxaudit.source.packed import roots_of_layout

        images = roots_of_layout(path, fence, _prefixes(options), options.limits)
        if images is not None:
            found.take(images)
            return
    more = Roots()
    files = list(files_below(path, fence, _noting(more.unread), _is_skipped))
    _take_configurations(path, _configurations(files, options.texts.filling), fence, options, more)
    names = [name for name, _ in files]
    if any(map(is_manifest_name, names)):
        from nginxaudit.source.kubernetes import roots_of_manifests

        limits = options.limits

        def read(name: str) -> SourceText:
            return read_file(name, os.path.normpath(name), fence, limits.max_file_size)

        more.take(roots_of_manifests(names, read, limits))
    if not more:
        raise ReadError(
            Unreadable.REFUSED,
            "; but ".join(["the directory holds no nginx configuration (nginx.conf or *.conf)", *more.notes]),
            "Give the path of the configuration file itself.",
        )
    found.take(more)


def _take_configurations(
    path: str, files: list[str], fence: Fence, options: ReadOptions, found: Roots
) -> None:
    limit = options.limits.max_files
    if len(files) > limit:
        found.unread.append(Unread(os.path.normpath(path), _too_many(len(files), limit)))
    tree = _disk(path, fence, options)  # a link in the tree leads no further than an include
    for file in files[:limit]:
        try:
            source = tree.read(file)
        except ReadError as error:
            found.unread.append(Unread(os.path.normpath(file), error))
            continue
        if has_main_block(source.text):
            main_dir = os.path.dirname(file)
            files_of = _placed(source, main_dir, _above(main_dir, path), fence, options, found)
            found.roots.append(Root(source, files_of, searched=True))
        else:  # its includes are relative to the configuration it belongs to: its root's directory
            place = _context(source, options)
            found.loose.append(Root(source, _disk(path, fence, options), searched=True, context=place))


def _configurations(files: list[tuple[str, str | None]], filling: Filling | None) -> list[str]:
    """Those of the files that look like configurations, ``nginx.conf`` first, each once."""
    candidates = [
        (path, real)
        for path, real in files
        if is_configuration_name(os.path.basename(os.path.dirname(path)), os.path.basename(path))
        or (filling is not None and filling.is_template(path))
    ]
    candidates.sort(key=lambda each: os.path.basename(each[0]) != "nginx.conf")
    first_names: dict[str, str] = {}
    for path, real in candidates:
        with suppress(ReadError):  # reported when the file is read
            real = real or real_path(path)
        first_names.setdefault(real or path, path)
    return list(first_names.values())


def _above(directory: str, top: str) -> list[str]:
    """The directories above ``directory``, up to ``top``."""
    found = []
    while directory.rstrip("/") != top.rstrip("/") and len(directory) > len(top):
        directory = os.path.dirname(directory)
        found.append(directory)
    return found


def _noting(unread: list[Unread]) -> Callable[[str, ReadError], None]:
    return lambda path, error: unread.append(Unread(os.path.normpath(path), error))


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED_DIRECTORIES


def _too_many(count: int, limit: int) -> ReadError:
    return ReadError(
        Unreadable.LIMIT,
        f"it holds {count:,} configuration files; those behind the first {limit:,} were not analysed",
        f"Scan its parts, {raised('max_files')}.",
    )


def _placed(
    source: SourceText, main_dir: str, above: list[str], fence: Fence, options: ReadOptions, found: Roots
) -> DiskFiles:
    """Files of the configuration ``source``; where its tree shows its place, absolute includes are there."""
    files = _disk(main_dir, fence, options)
    if files.installed or options.prefix or options.allow_outside:
        return files
    moved = inferred(source.text, [main_dir, *above], INSTALL_PREFIXES, files.exists)
    if moved is None:
        return files
    found.remarks.append(moved.sentence(source.path))
    return _disk(main_dir, fence, options, ((moved.prefix, moved.base),))


def _disk(main_dir: str, fence: Fence, options: ReadOptions, moved: Places = ()) -> DiskFiles:
    return DiskFiles(
        main_dir,
        fence,
        prefixes=_prefixes(options),
        moved=moved,
        texts=options.texts,
        limits=options.limits,
    )


def _prefixes(options: ReadOptions) -> tuple[str, ...]:
    return (options.prefix,) if options.prefix else INSTALL_PREFIXES
