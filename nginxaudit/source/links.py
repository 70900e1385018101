"""Where symbolic links lead in a copy of a tree: absolute ones mean the copy's own files.

Debian enables a site with ``sites-enabled/shop -> /etc/nginx/sites-available/shop``. In a backup, a repository or a
mounted disk that is the file beside it, never the one on the machine that looks at it. What is found here is only a
name: the fence judges it as any other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeAlias

from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.read import ReadError, Unreadable, is_below

Places: TypeAlias = "tuple[tuple[str, str], ...]"  # absolute directories, and the directories that they mean
_MOST_LINKS = 40  # as many as Linux follows
_LONGEST_TEXT = 1000
_PATH = r"(?:\.{0,2}/)?(?:[\w.@+-]+/)+[\w.@+-]+"  # on one line that does not end, in at least one directory
_MODULE = r".*/usr/share/nginx/modules-available/mod-([a-z0-9-]+)\.conf"


def real_path(path: str) -> str:
    """``path`` without links and dots, as far as it exists. Raises `ReadError`."""
    try:
        return os.path.realpath(path)
    except RecursionError:
        raise ReadError(Unreadable.REFUSED, "it leads through too many symbolic links") from None
    except ValueError:
        raise ReadError(Unreadable.MISSING, "it contains a NUL byte: there is no such file") from None
    except OSError:  # what was a link a moment ago is none any more
        raise changed() from None


def changed() -> ReadError:
    """What is said of a file that is another one than a moment ago."""
    return ReadError(Unreadable.REFUSED, "it was changed while it was read", "Scan again.")


def looped() -> ReadError:
    """What is said of a link that leads to itself."""
    return ReadError(Unreadable.REFUSED, "its symbolic links form a loop", "Point one of them at a file.")


class Links:
    """The links below ``tops``, real paths of directories with copied trees.

    ``prefixes`` are the directories in which such trees are installed, ``places`` those that are known to mean others.
    """

    def __init__(self, tops: Iterable[str], prefixes: Iterable[str], places: Places = ()) -> None:
        self._tops = tuple(tops)
        self._prefixes = tuple(f"{prefix.rstrip('/')}/" for prefix in prefixes)
        self._places = places

    def real(self, path: str) -> str:
        """The real path of ``path``, as far as it exists. Raises `ReadError`."""
        real = real_path(path)
        if real == os.path.abspath(path):
            return real  # there is no link in it
        at, links = "/", 0
        todo = os.path.join(os.getcwd(), path).split("/")[::-1]
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == os.pardir:
                at = os.path.dirname(at)
                continue
            target = _target(os.path.join(at, part))
            if target is None:
                at = os.path.join(at, part)
                continue
            links += 1
            if links > _MOST_LINKS:
                return os.path.join(at, part)  # still a link
            if target.startswith("/"):
                target, at = self._meant(target, at), "/"
            todo += target.split("/")[::-1]
        return at

    def written(self, text: str, real: str) -> str | None:
        """Where the file ``real`` leads if ``text`` in it is that of a link.

        git writes links so where the file system, or the archive that is downloaded, has none.
        """
        if len(text) > _LONGEST_TEXT or not compiled(_PATH).fullmatch(text):
            return None
        directory = os.path.dirname(real)
        if text.startswith("/"):
            return self.real(self._meant(text, directory))
        return self.real(os.path.join(directory, text))

    def _meant(self, target: str, directory: str) -> str:
        """The path that the absolute ``target`` of a link in ``directory`` means."""
        top = next((each for each in self._tops if is_below(directory, [each])), None)
        if top is None:
            return target
        for prefix, base in self._places:
            if target.startswith(f"{prefix}/"):
                return os.path.join(real_path(base), target[len(prefix) + 1 :])
        tails = [target[len(prefix) :] for prefix in self._prefixes if target.startswith(prefix)]
        tails.append(target[1:])  # the tree of a whole disk
        while True:
            for tail in tails:
                if os.path.lexists(os.path.join(directory, tail)):
                    return os.path.join(directory, tail)
            if directory == top:
                return target
            directory = os.path.dirname(directory)


def _target(path: str) -> str | None:
    """What a link says; None for everything else."""
    try:
        return os.readlink(path)
    except OSError:
        return None


def debian_module(real: str) -> str | None:
    """The module that the file ``real`` of a package of Debian loads; links in ``modules-enabled`` lead to it."""
    found = compiled(_MODULE).fullmatch(real)
    if found is None:
        return None
    return "ndk_http_module" if found[1] == "http-ndk" else f"ngx_{found[1].replace('-', '_')}_module"
