"""How a run reads, and where the files of a configuration on disk are."""

from __future__ import annotations

import os
from collections.abc import Iterable

from msgspec import Struct, field

from nginxaudit.source.fence import EVERYWHERE, Fence
from nginxaudit.source.files import INSTALL_PREFIXES, DiskFiles, Texts, is_installed
from nginxaudit.source.limits import DEFAULTS, Limits
from nginxaudit.source.links import Links, Places, real_path
from nginxaudit.source.prefix import inferred
from nginxaudit.source.repository import home_of
from nginxaudit.source.root import Roots
from nginxaudit.source.text import SourceText


class ReadOptions(Struct, frozen=True):
    """How paths are turned into roots.

    ``prefix`` is the absolute directory where the scanned tree is installed on its target.
    ``texts`` are those that the run has read already.
    ``named`` says that the user named the paths: what they lead to is meant. Other paths (changed files, what
    is read without a PATH) may not lead out of their repository, or where there is none out of ``base``.
    ``exclude`` are globs of files that are left out of directories, and of ``changed`` files; of those whatever is not
    nginx's is left out, too. ``is_part`` says that the user knows files to be parts of a configuration.
    """

    prefix: str | None = None
    allow_outside: bool = False
    stdin_filename: str | None = None
    texts: Texts = field(default_factory=Texts)
    limits: Limits = DEFAULTS
    named: bool = True
    base: str = "."
    exclude: tuple[str, ...] = ()
    changed: bool = False
    is_part: bool = False

    def home_of(self, path: str) -> Fence:
        """What the path of the run ``path`` may lead to."""
        home = EVERYWHERE if self.named or self.allow_outside else home_of(path, self.base)
        directory = os.path.dirname(path) or "."
        if is_installed(directory) or not os.path.islink(path):
            return home
        return home.resolving(Links(home.places or ["/"], self.prefixes).real)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Directories in which a scanned tree is installed on its target."""
        return (self.prefix,) if self.prefix else INSTALL_PREFIXES

    def fence_around(self, directories: Iterable[str]) -> Fence:
        """What configurations in ``directories`` may include."""
        return EVERYWHERE if self.allow_outside else Fence(dict.fromkeys(map(real_path, directories)))


def placed(
    source: SourceText, main_dir: str, above: list[str], fence: Fence, options: ReadOptions, found: Roots
) -> DiskFiles:
    """Files of the configuration ``source``; where its tree shows its place, absolute includes are there."""
    files = disk(main_dir, fence, options)
    if files.installed or options.prefix or options.allow_outside:
        return files
    moved = inferred(source.text, [main_dir, *above], INSTALL_PREFIXES, files.exists)
    if moved is None:
        return files
    found.remarks.append(moved.sentence(source.path))
    return disk(main_dir, fence, options, ((moved.prefix, moved.base),))


def disk(main_dir: str, fence: Fence, options: ReadOptions, moved: Places = ()) -> DiskFiles:
    """Files of a configuration in ``main_dir``."""
    return DiskFiles(
        main_dir,
        fence,
        prefixes=options.prefixes,
        moved=moved,
        texts=options.texts,
        limits=options.limits,
    )


def context_of(source: SourceText, options: ReadOptions) -> str | None:
    """Where the nginx image includes what it makes of a template; None for other files."""
    filling = options.texts.filling
    return "stream" if filling is not None and filling.is_stream(source.path) else None
