"""What was asked for, as roots: each is one configuration that nginx could be started with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import BinaryIO

from nginxaudit.source.compressed import Content, content_of, plain_name
from nginxaudit.source.dump import is_dump, refuse_failed, roots_of_dumps, tell_apart
from nginxaudit.source.fence import EVERYWHERE, Fence
from nginxaudit.source.ignoring import Ignoring
from nginxaudit.source.looks import HEAD, Look, is_written_like_nginx, kind_of, look
from nginxaudit.source.placing import ReadOptions, context_of, disk, placed
from nginxaudit.source.read import ReadError, Unreadable, decode, read_bounded
from nginxaudit.source.root import Root, Roots, Unread, is_backup_name, is_manifest_name
from nginxaudit.source.scanned import listed, roots_of_directory
from nginxaudit.source.text import SourceText

STDIN = "-"
_MANIFEST = r"""\A\s*\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\})|^(?:apiVersion|kind)[ \t]*:[ \t]*["'{\w]"""


def find_roots(paths: Sequence[str], options: ReadOptions, stdin: BinaryIO | None = None) -> Roots:
    """Roots of ``paths``, in order. ``-`` reads ``stdin``. Never raises for bad input."""
    found = Roots()
    passed: list[str] = []
    paths = list(_wanted(paths, options, passed))
    fence = _fence(paths, options)
    for path in paths:
        try:
            if path == STDIN:
                found.take(_from_stdin(stdin, options))
                continue
            _require_home(path, options)
            if os.path.isdir(path):
                found.take(_from_directory(path, options))
            else:
                found.take(_from_file(path, fence, options))
        except ReadError as error:
            if error.kind is Unreadable.FOREIGN and options.changed:
                passed.append(path)
            else:
                found.unread.append(Unread(path, error))
    tell_apart(found.roots)
    if passed:
        noun = "changed file was" if len(passed) == 1 else "changed files were"
        found.remarks.append(f"{len(passed):,} {noun} passed over, not nginx or excluded: {listed(passed)}")
    return found


def _wanted(paths: Iterable[str], options: ReadOptions, passed: list[str]) -> Iterable[str]:
    """The paths to be read, each once. Paths that the user names are; of changed files some are ``passed``."""
    if not options.changed:
        yield from dict.fromkeys(paths)
        return
    ignoring = Ignoring(options.base, options.exclude, options.base)
    for path in dict.fromkeys(paths):
        if path != STDIN and (is_backup_name(os.path.basename(path)) or ignoring.excludes_named(path)):
            passed.append(path)
        else:
            yield path


def root_of_file(path: str, home: Fence, fence: Fence, options: ReadOptions) -> Root:
    """The root that is the configuration file ``path`` in ``home``. Raises `ReadError`."""
    return Root(_source(path, home, options), disk(os.path.dirname(path), fence, options))


def _source(path: str, home: Fence, options: ReadOptions) -> SourceText:
    if not path or "\0" in path:
        raise ReadError(Unreadable.MISSING, "it is not a path", "Give the path of a file or a directory.")
    return options.texts.read(path, home)


def _fence(paths: Iterable[str], options: ReadOptions) -> Fence:
    """What the files among ``paths`` may include: what is in the directories of all of them."""
    if options.allow_outside:
        return EVERYWHERE
    places = []
    for path in paths:
        if path != STDIN:
            with suppress(ReadError):  # reported for the path itself
                home = options.home_of(path)
                place = home.resolve(path if os.path.isdir(path) else os.path.dirname(path) or ".")
                if home.holds(place):
                    places.append(place)
    return Fence(dict.fromkeys(places))


def _require_home(path: str, options: ReadOptions) -> None:
    home = options.home_of(path)
    real = home.resolve(path)
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
    source = _source(path, home, options)
    _require_nginx(source, options)
    return _of_text(source, os.path.dirname(path), fence, options)


def _from_directory(path: str, options: ReadOptions) -> Roots:
    fence = options.fence_around([options.home_of(path).real(path)])
    if any(os.path.isfile(os.path.join(path, name)) for name in ("manifest.json", "oci-layout")):
        from nginxaudit.source.packed import roots_of_layout

        images = roots_of_layout(path, fence, options.prefixes, options.limits)
        if images is not None:
            return images
    return roots_of_directory(path, fence, options)


def _require_nginx(source: SourceText, options: ReadOptions) -> None:
    """Raise `ReadError` for a file that is another program's: what nginx would say of it helps nobody."""
    head = source.text[:HEAD]
    if (
        options.is_part
        or "nginxaudit:" in head
        or look(head, source.path, named=True) is not Look.OTHER
        or is_dump(source.text)
    ):
        return
    kind = kind_of(head)
    if kind or options.changed or not is_written_like_nginx(head, source.path):
        raise ReadError(
            Unreadable.FOREIGN,
            "it does not look like nginx configuration" + (f" ({kind})" if kind else ""),
            "If it is a part of one, say where it belongs: --context http,server",
        )


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

        return roots_of_archive(content, display, real, options.prefixes, options.limits)
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
        raise ReadError(Unreadable.REFUSED, "standard input is not available")
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
    files = placed(source, main_dir, [], fence, options, found)
    found.roots.append(Root(source, files, context=context_of(source, options)))
    return found
