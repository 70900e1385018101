"""Where the files of one root come from: the disk behind a fence, or a dump.

``include`` arguments are resolved as nginx does: relative to the directory of the *main*
configuration file, and a pattern's matches sorted bytewise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from itertools import islice
from typing import Protocol

from msgspec import Struct

from nginxaudit.source.envsubst import Filling
from nginxaudit.source.fence import Fence, outside, read_file
from nginxaudit.source.globbing import Globs, TooManyError, is_pattern, name_matches
from nginxaudit.source.limits import DEFAULTS, Limits, raised
from nginxaudit.source.links import Links, Places, debian_module, real_path
from nginxaudit.source.read import ReadError, Unreadable, decode, is_below, read_bounded, read_start
from nginxaudit.source.text import SourceText

INSTALL_PREFIXES = (
    "/etc/nginx",
    "/usr/local/nginx/conf",
    "/usr/local/etc/nginx",
    "/usr/local/openresty/nginx/conf",
    "/opt/nginx/conf",
    "/opt/homebrew/etc/nginx",
    "/etc/openresty",
    "/etc/angie",
    "/etc/freenginx",
    "/etc/tengine",
    "/usr/local/tengine/conf",
)
"""Directories in which packages, images and builds of nginx keep ``nginx.conf``."""


SYSTEM_PLACES = (
    "/usr/share/nginx/modules",  # Fedora and its kin: include /usr/share/nginx/modules/*.conf
    "/usr/share/nginx/modules-available",  # Debian: modules-enabled/*.conf are links to here
    "/usr/lib/nginx",  # Alpine: include /usr/lib/nginx/modules/*.conf
    "/usr/lib64/nginx",
    "/etc/letsencrypt/options-ssl-nginx.conf",  # certbot includes this file; beside it are private keys
    "/usr/share/jitsi-meet-turnserver",  # puts a link into modules-enabled
    "/nix/store",  # readable by everybody, as is the next one
    "/gnu/store",
)
"""What configurations of packages include from outside of the directory of ``nginx.conf``."""


class Files(Protocol):
    """The files that one root may include."""

    installed: bool  # the tree stands where nginx reads it, so a path that is missing is missing

    def resolve(self, argument: str) -> str:
        """Path that an ``include`` argument means, for `read` and `expand`."""

    def expand(self, pattern: str) -> list[str]:
        """Paths that match the resolved ``pattern``, in nginx's order. Raises `ReadError`."""

    def read(self, path: str) -> SourceText:
        """Text of one resolved path. Raises `ReadError`."""

    def system(self) -> System | None:
        """The system that the tree is a part of, where that may be asked."""


class System(Struct, frozen=True):
    """The system in which a tree is where a package of nginx has its configuration, in ``prefix``.

    ``top`` is its directory as people know it, to put before absolute paths; ``read`` gives the bytes of one of the files of `installed.DATABASES`.
    """

    prefix: str
    top: str
    read: Callable[[str], bytes | None]


class Texts:
    """The texts of one run by the paths that reports print: what several roots share is read, and parsed, once.

    ``overlay`` maps real paths to texts that are read in place of what is on disk; ``limit`` is the most bytes of a file;
    ``filling`` is what templates are filled in with.
    """

    def __init__(
        self,
        overlay: Mapping[str, str] | None = None,
        limit: int = DEFAULTS.max_file_size,
        filling: Filling | None = None,
    ) -> None:
        self.filling = filling
        self._overlay = overlay
        self._limit = limit
        self._texts: dict[tuple[str, str], SourceText] = {}  # by the path that is printed, and the real one

    def replaces(self, path: str) -> bool:
        """Whether a text is read in place of the file ``path``."""
        return self._overlay is not None and real_path(path) in self._overlay

    def read(self, path: str, fence: Fence, real: str | None = None) -> SourceText:
        """Text of ``path``, a file on disk inside ``fence``. Raises `ReadError`.

        ``real`` is what `Fence.real` gave for it, where that was asked for already.
        """
        real = real or fence.real(path)
        shown = _shown(path, real)
        text = self._texts.get((shown, real))
        if text is None:
            text = self._text(path, real, shown, fence)
            if self.filling is not None and self.filling.is_template(path):
                text = self.filling.filled(text)
            self._texts[shown, real] = text
        return text

    def _text(self, path: str, real: str, shown: str, fence: Fence) -> SourceText:
        if self._overlay is not None and real in self._overlay:
            return SourceText(shown, self._overlay[real], real)
        return read_file(path, shown, fence, self._limit, real)


def _shown(path: str, real: str) -> str:
    """The path of the file ``real`` for people: ``path`` without detours and, where they can be left out, without links.

    A finding stands at the file that a change of it changes, not at a link to it.
    """
    shown = os.path.normpath(path)
    if os.path.abspath(shown) == real:
        return shown
    directory = os.path.dirname(path)
    while directory != "/":
        top = real_path(directory or ".")
        if is_below(real, [top]):
            rest = os.path.relpath(real, top)
            if rest.startswith("..") or "/.." in rest:
                break  # Kubernetes keeps what it mounts in directories of such names, and changes them
            found = os.path.normpath(os.path.join(directory, rest))
            if os.pardir not in directory or real_path(found) == real:
                return found
        if directory in ("", os.curdir) or os.path.basename(directory) == os.pardir:
            break
        directory = os.path.dirname(directory)
    # ``..`` behind a link is another way than the shortened one.
    return shown if os.pardir not in path or real_path(shown) == real else path


class DiskFiles:
    """Files below the directory of a main configuration on this machine.

    ``main_dir`` is that directory as given. Nothing is read outside ``fence``, except that what stands where
    packages install it may include what other packages provide (`SYSTEM_PLACES`).
    ``prefixes`` are the absolute directories that mean ``main_dir`` when the tree is a copy, ``moved`` those that mean
    other directories.
    ``texts`` are those that the run has read already.
    """

    def __init__(
        self,
        main_dir: str,
        fence: Fence,
        *,
        prefixes: Iterable[str] = INSTALL_PREFIXES,
        moved: Places = (),
        texts: Texts | None = None,
        limits: Limits = DEFAULTS,
    ) -> None:
        self._shared = texts or Texts(limit=limits.max_file_size)
        self._main_dir = main_dir or "."
        self.installed = is_installed(self._main_dir)
        prefixes = tuple(prefixes)
        if self.installed:
            self._links = None
            self._fence = fence.widened(_system_places())
        else:
            self._links = Links(fence.places or [real_path(self._main_dir)], prefixes, moved)
            self._fence = fence.resolving(self._links.real)
        own = tuple((prefix.rstrip("/"), self._main_dir) for prefix in prefixes)
        self._places: Places = () if self.installed else (*moved, *own)
        self._texts: dict[str, SourceText] = {}  # by every spelling
        self._by_real: dict[str, SourceText] = {}
        self._globs = Globs(self._fence, limits.max_files)
        self._most = limits.max_files

    @cached_property
    def _made(self) -> dict[str, str]:
        """The files that the nginx image makes of templates, by their paths -> the template."""
        filling = self._shared.filling
        if filling is None:
            return {}
        found = islice(filling.templates_below(self.resolve(filling.directory)), self._most)
        return {self.resolve(output): template for template, output in found}

    def resolve(self, argument: str) -> str:
        """Path on this machine; an absolute one below an install prefix maps into the tree."""
        if not argument.startswith("/"):
            return _joined(self._main_dir, argument)
        for prefix, directory in self._places:
            if argument.startswith(f"{prefix}/"):
                return _joined(directory, argument[len(prefix) + 1 :])
        return argument

    def expand(self, pattern: str) -> list[str]:
        """Matches of a glob, sorted as nginx's are (C locale)."""
        try:
            found = self._globs.expand(pattern)
        except TooManyError:
            raise ReadError(
                Unreadable.LIMIT,
                "it matches too many files, or leads through too many directories",
                f"Include less, {raised('max_files')}.",
            ) from None
        made = [path for path in self._made if _matches(path.split("/"), pattern.split("/"))]
        return sorted({*found, *made}, key=os.fsencode) if made else found

    def exists(self, path: str) -> bool:
        """Whether there is a file of this name that may be read, or one that a glob matches."""
        try:
            names = self.expand(path) if is_pattern(path) else [path]
            reals = map(self._fence.resolve, names)
            return any(self._fence.holds(real) and os.path.isfile(real) for real in reals)
        except ReadError:
            return False

    def real(self, path: str) -> str:
        """The real path of ``path``, wherever it leads. Raises `ReadError`."""
        return self._fence.resolve(path)

    def head(self, path: str, size: int) -> str:
        """The first ``size`` bytes of a text. Raises `ReadError`, also for what is no text."""
        real = self._fence.real(path)
        if self._shared.replaces(real):
            return self.read(path).text[:size]
        file, _ = self._fence.open(path, real)
        with file:
            return decode(read_start(file, size))

    def is_written_link(self, path: str, text: str) -> bool:
        """Whether ``text`` in the file ``path`` is that of a link to another file (`Links.written`)."""
        target = None if self._links is None else self._links.written(text, self.real(path))
        return target is not None and self._fence.holds(target) and os.path.isfile(target)

    def read(self, path: str) -> SourceText:
        """Text of ``path``; one for each real file, however often and by whatever names it is included."""
        text = self._texts.get(path)
        if text is None:
            path = self._made.get(path, path)
            real = self._fence.resolve(path)
            text = self._by_real.get(real)
            if text is None:
                text = self._by_real[real] = self._read(path, real)
            self._texts[path] = text
        return text

    def system(self) -> System | None:
        """This machine for what is installed on it, or the copy of a system that is scanned as a whole."""
        try:
            real = real_path(self._main_dir)
        except ReadError:
            return None  # it was replaced since it was read: nothing is known of its system
        if not real.endswith(INSTALL_PREFIXES):
            return None
        from nginxaudit.source.installed import DATABASES, LARGEST, system_of  # few runs have a system

        found = system_of(real)
        if found is None or (not found[0] and not self.installed):
            return None
        top, prefix = found
        fence = self._fence if top else Fence(map(real_path, DATABASES))

        def read(path: str) -> bytes | None:
            try:
                file = fence.open(f"{top}{path}")[0]
            except ReadError as error:
                if error.kind in (Unreadable.MISSING, Unreadable.OUTSIDE):
                    return None
                raise
            with file:
                return read_bounded(file, LARGEST)

        shown = os.path.normpath(self._main_dir)
        return System(prefix, shown[: -len(prefix)] if shown.endswith(prefix) else top, read)

    def _read(self, path: str, real: str) -> SourceText:
        if not self._fence.holds(real):
            module = debian_module(real)
            if module is not None and self._links is not None:
                return SourceText(
                    os.path.normpath(path), f"load_module modules/{module}.so;\n", f"link:{real}"
                )
            raise outside(Unreadable.LED_OUT if self._is_here(path) else Unreadable.OUTSIDE)
        text = self._shared.read(path, self._fence, real)
        target = None if self._links is None else self._links.written(text.text, real)
        if target is None or target == real or not self._fence.holds(target) or not os.path.isfile(target):
            return text
        return self._shared.read(path, self._fence, target)

    def _is_here(self, path: str) -> bool:
        """Whether a resolved path is the name of something in the tree, wherever it leads."""
        return not os.path.isabs(path) or (
            os.path.isabs(self._main_dir) and path.startswith(f"{self._main_dir.rstrip('/')}/")
        )


class DumpFiles:
    """The files inside an ``nginx -T`` dump; nothing on this machine is read. ``origin`` is what holds the dump."""

    installed = True

    def __init__(self, texts: Mapping[str, SourceText], main: str, origin: str = "") -> None:
        self.texts = texts
        self.origin = origin
        self._main_dir = os.path.dirname(main)

    def resolve(self, argument: str) -> str:
        """Path as nginx names it in the dump, on Windows, too."""
        absolute = argument.startswith("/") or argument[1:3] in (":/", ":\\")
        return argument if absolute else os.path.join(self._main_dir, argument)

    def expand(self, pattern: str) -> list[str]:
        """Files of the dump that match; ``*`` and ``?`` match no slash, as in glob(3)."""
        parts = pattern.split("/")
        return sorted((path for path in self.texts if _matches(path.split("/"), parts)), key=os.fsencode)

    def read(self, path: str) -> SourceText:
        """Text of one file of the dump."""
        try:
            return self.texts[path]
        except KeyError:
            raise ReadError(Unreadable.MISSING, "the dump does not contain it") from None

    def system(self) -> System | None:
        """A dump has the configuration alone."""
        return None


def _matches(path: list[str], pattern: list[str]) -> bool:
    return len(path) == len(pattern) and all(map(name_matches, path, pattern))


def _joined(directory: str, path: str) -> str:
    return os.path.join(directory, path) if directory not in ("", ".") else path


def is_installed(directory: str) -> bool:
    """Whether ``directory`` is one where nginx itself reads its configuration."""
    try:
        return real_path(directory) in _installed_prefixes()
    except ReadError:
        return False


@cache
def _installed_prefixes() -> frozenset[str]:
    return frozenset(map(os.path.realpath, INSTALL_PREFIXES))


@cache
def _system_places() -> tuple[str, ...]:
    return tuple(map(os.path.realpath, (*INSTALL_PREFIXES, *SYSTEM_PLACES)))
