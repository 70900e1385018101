"""Configurations in an archive or an image: where they start, and the files of it that they include.

``docker export`` and ``docker cp CONTAINER:/etc/nginx -`` make such archives, ``kubectl cp`` and backups do.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator

from nginxaudit.source.compressed import is_archive_name
from nginxaudit.source.files import INSTALL_PREFIXES, System
from nginxaudit.source.globbing import is_pattern, name_matches
from nginxaudit.source.installed import LARGEST, system_of
from nginxaudit.source.kinds import is_skipped, kind_by_name
from nginxaudit.source.links import Places
from nginxaudit.source.looks import HEAD, Look, kind_of, look
from nginxaudit.source.prefix import inferred
from nginxaudit.source.read import ReadError, Unreadable
from nginxaudit.source.root import Root, Roots, Unread, has_main_block, is_manifest_name
from nginxaudit.source.scanned import LOOKED_AT, left_out, other_software, too_many
from nginxaudit.source.text import SourceText
from nginxaudit.source.tree import Tree

_MAX_MATCHES = 100_000  # of one glob: links to directories can make a tree endless
_MAX_TRIED = 2_000  # files of any name that are looked into when none is called like a configuration


def roots_of_tree(tree: Tree, prefixes: Iterable[str], started: Iterable[str] = ()) -> Roots:
    """Configurations in ``tree``; ``started`` are paths of those that nginx is started with, where that is known.

    Raises `ReadError` where there is none.
    """
    search = _Search(tree, tuple(prefixes), tuple(started))
    search.run()
    if not search.found:
        raise tree.hint()
    return search.found


class _Search:
    """The configurations of one archive: what nginx is started with, else those below the install prefixes, else
    beside ``nginx.conf``, else all.
    """

    def __init__(self, archive: Tree, prefixes: tuple[str, ...], started: tuple[str, ...]) -> None:
        self.found = Roots()
        self._archive = archive
        self._prefixes = tuple(prefix.rstrip("/") for prefix in prefixes)
        self._started = started
        self._seen: set[str] = set()

    def run(self) -> None:
        """Fill ``found``."""
        self._search()
        if not self._archive.whole:
            self._take_manifests()
            self._mention_archives()

    def _take_manifests(self) -> None:
        """Kubernetes manifests in the archive of a tree, as in a directory on disk."""
        archive = self._archive
        names = [
            name for name in archive.files("") if not any(part.startswith(".") for part in name.split("/"))
        ]
        if any(map(is_manifest_name, names)):
            from nginxaudit.source.kubernetes import roots_of_manifests

            self.found.take(
                roots_of_manifests(
                    names, lambda name: archive.text(archive.follow(name), name), archive.limits
                )
            )

    def _search(self) -> None:
        archive = self._archive
        named = [name for name in archive.files("") if name.rsplit("/", 1)[-1] == "nginx.conf"]
        started = [path[1:] for path in self._started if self._is_file(path[1:], "")]
        for path in started:
            self.found.remarks.append(f"{archive.display}: the image starts nginx with {path}")
            self._take([path], posixpath.dirname(path))
        if self.found.roots:
            self._mention(named)
            return
        installed = [
            prefix[1:] for prefix in INSTALL_PREFIXES if self._is_file(f"{prefix[1:]}/nginx.conf", prefix[1:])
        ]
        scopes = installed or ([posixpath.dirname(name) for name in named] if archive.whole else [""])
        for scope in scopes:
            self._take(self._candidates(scope), scope)
        if self.found.roots or self.found.unread:
            if installed:
                self._mention(
                    name for name in named if not name.startswith(tuple(f"{each}/" for each in scopes))
                )
            return
        if archive.whole:  # a file system has many a *.conf
            self.found.loose.clear()
            self._take(name for name in archive.files("") if name.endswith(".conf"))
        elif not self.found:
            self._take(list(archive.files(""))[:_MAX_TRIED])

    def _mention_archives(self) -> None:
        """Say which archives of the archive are not looked into."""
        inner = [name for name in self._archive.files("") if is_archive_name(name)]
        if inner:
            more = f" and {len(inner) - 5} more" if len(inner) > 5 else ""
            self.found.notes.append(
                f"{self._archive.display}: archives in it were not analysed: {', '.join(inner[:5])}{more}"
            )

    def _mention(self, names: Iterable[str]) -> None:
        """Say that main configurations are there that nginx is not started with."""
        left = [name for name in names if self._is_main(name)]
        if left:
            more = f" and {len(left) - 5} more" if len(left) > 5 else ""
            self.found.remarks.append(
                f"{self._archive.display}: also there, and not analysed: {', '.join(left[:5])}{more}"
            )

    def _is_main(self, name: str) -> bool:
        try:
            real = self._archive.follow(name, self._places(""))
            return real not in self._seen and has_main_block(self._archive.text(real, name).text)
        except ReadError:
            return False

    def _is_file(self, path: str, scope: str) -> bool:
        try:
            real = self._archive.follow(path, self._places(scope))
        except ReadError:
            return self._archive.has(path)  # it is told why it cannot be read
        return self._archive.has(real) and not self._archive.is_directory(real)

    def _candidates(self, scope: str) -> list[str]:
        """Files that look like a configuration, ``nginx.conf`` first, as in a directory on disk."""
        found: list[str] = []
        foreign: dict[str, str] = {}
        backups: list[str] = []
        names = list(self._archive.files(scope))
        most = self._archive.limits.max_files * LOOKED_AT
        if len(names) > most:
            self.found.unread.append(Unread(self._archive.display, too_many(len(names), most, "files")))
        for name in names[:most]:
            *directories, last = name.removeprefix(scope).strip("/").split("/")
            if any(map(is_skipped, directories)):
                continue
            kind = kind_by_name(directories[-1] if directories else posixpath.basename(scope), last)
            if kind == "backup":
                backups.append(f"{self._archive.display}!{name}")
            elif kind in ("configuration", "possible") and self._looks_right(name, scope, kind, foreign):
                found.append(name)
        self.found.remarks += [*left_out(backups, []), *other_software(foreign)]
        return sorted(found, key=lambda name: posixpath.basename(name) != "nginx.conf")

    def _looks_right(self, name: str, scope: str, kind: str, foreign: dict[str, str]) -> bool:
        """Whether the member is to be read; one that is called like a configuration and is none is noted in ``foreign``."""
        named = kind == "configuration"
        try:
            head = self._archive.head(self._archive.follow(name, self._places(scope)), HEAD)
        except ReadError:
            return named  # reading it says why
        seen = look(head, name, named=named)
        if seen is Look.OTHER and named:
            foreign[f"{self._archive.display}!{name}"] = kind_of(head)
        return seen is Look.NGINX or (named and seen is Look.EMPTY)

    def _take(self, names: Iterable[str], scope: str | None = None) -> None:
        """Read files, each once. Without ``scope`` they are of any kind: only main configurations count."""
        for name in names:
            main_dir = posixpath.dirname(name)
            try:
                real = self._archive.follow(name, self._places(main_dir if scope is None else scope))
                if real in self._seen:
                    continue
                self._seen.add(real)
                source = self._archive.text(real, real)
            except ReadError as error:
                if self._matters(name, scope):
                    self.found.unread.append(Unread(f"{self._archive.display}!{name}", error))
                continue
            is_root = has_main_block(source.text)
            if not is_root and scope is None:
                continue
            if is_root:
                files = self._files(source, main_dir)
                self.found.roots.append(Root(source, files, searched=True))
            else:  # its includes are relative to the configuration it belongs to: its root's directory
                files = ArchiveFiles(self._archive, scope or "", self._places(scope or ""))
                self.found.loose.append(Root(source, files, searched=True))

    def _places(self, directory: str) -> Places:
        return tuple((prefix, directory) for prefix in self._prefixes)

    def _files(self, source: SourceText, main_dir: str) -> ArchiveFiles:
        """Files of the main configuration ``source``; where its tree shows its place, absolute includes are there."""
        files = ArchiveFiles(self._archive, main_dir, self._places(main_dir))
        if self._archive.rooted or self._prefixes != INSTALL_PREFIXES:
            return files
        moved = inferred(source.text, [main_dir, *_above(main_dir)], self._prefixes, files.exists)
        if moved is None:
            return files
        self.found.remarks.append(moved.sentence(source.path, f"{self._archive.display}!"))
        return ArchiveFiles(self._archive, main_dir, ((moved.prefix, moved.base), *self._places(main_dir)))

    def _matters(self, name: str, scope: str | None) -> bool:
        """Whether a file that cannot be read has to be told: links and devices only when something needs them."""
        return scope is not None and (
            posixpath.basename(name) == "nginx.conf" or self._archive.is_plain(name)
        )


def _above(directory: str) -> Iterator[str]:
    while directory:
        directory = posixpath.dirname(directory)
        yield directory


class ArchiveFiles:
    """The files that a configuration in ``main_dir`` of an archive may include.

    ``places`` are absolute directories that mean directories of the archive.
    """

    def __init__(self, archive: Tree, main_dir: str, places: Places) -> None:
        self._archive = archive
        self._main_dir = main_dir
        self._places = places
        self._texts: dict[str, SourceText] = {}  # by every spelling
        self._by_real: dict[str, SourceText] = {}
        self.installed = archive.whole

    def resolve(self, argument: str) -> str:
        """Name in the archive; an absolute path that has no place in it stays absolute."""
        if not argument.startswith("/"):
            return f"{self._main_dir}/{argument}" if self._main_dir else argument
        inside = self._archive.inside(argument, self._places)
        return argument if inside is None else inside

    def expand(self, pattern: str) -> list[str]:
        """Names that match, sorted as nginx's are; links to directories are followed."""
        if pattern.startswith("/"):
            raise self._archive.outside()
        found = [""]
        for part in pattern.split("/"):
            found = list(self._step(found, part))
            if len(found) > _MAX_MATCHES:
                raise ReadError(Unreadable.REFUSED, f"more than {_MAX_MATCHES:,} names match")
        return sorted(found, key=os.fsencode)

    def exists(self, path: str) -> bool:
        """Whether there is a file of this name, or one that a glob matches."""
        try:
            names = self.expand(path) if is_pattern(path) else [path]
            return any(self._archive.is_plain(self._follow(name)) for name in names)
        except ReadError:
            return False

    def read(self, path: str) -> SourceText:
        """Text of one member; one for each, however often and by whatever names it is included."""
        text = self._texts.get(path)
        if text is None:
            if path.startswith("/"):
                raise self._archive.outside()
            real = self._follow(path)
            text = self._by_real.get(real)
            if text is None:
                text = self._by_real[real] = self._archive.text(real, real)
            self._texts[path] = text
        return text

    def system(self) -> System | None:
        """The system whose file system this is, or a copy of it."""
        found = system_of(f"/{self._main_dir}")
        if found is None:
            return None
        top, prefix = found

        def read(path: str) -> bytes | None:
            try:
                return self._archive.bytes(self._follow(f"{top}{path}".lstrip("/")), LARGEST)
            except ReadError as error:
                if error.kind is Unreadable.LIMIT:
                    raise
                return None

        return System(prefix, f"{self._archive.display}!{top.lstrip('/')}", read)

    def _follow(self, path: str) -> str:
        return self._archive.follow(path, self._places)

    def _step(self, bases: Iterable[str], part: str) -> Iterator[str]:
        for base in bases:
            prefix = f"{base}/" if base else ""
            if part in ("", ".", ".."):
                yield prefix + part
                continue
            try:
                real = self._follow(base)
            except ReadError:
                continue
            if is_pattern(part):
                names = (name for name in self._archive.names(real) if name_matches(name, part))
                yield from (prefix + name for name in names)
            elif self._archive.has(f"{real}/{part}" if real else part):
                yield prefix + part
