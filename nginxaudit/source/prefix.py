"""Where a copied tree is installed, as the tree itself shows it.

``include /srv/gw/nginx/mime.types;`` in a configuration beside which there is a ``mime.types`` says that ``/srv/gw/nginx``
is its directory. One such place is found for a configuration, and only where every absolute include that can be found
at all is found in it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import islice

from msgspec import Struct

from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.globbing import is_pattern

_INCLUDE = r"""include[ \t]+["']?(/[^\s;"'{}]+)["']?[ \t]*;"""
_NO_STATEMENT = r"#|[^\s;{}]$"  # before the word: a comment, or the rest of another word
_MOST_LOOKED_AT = 1000
_MOST_INCLUDES = 50
_DEEPEST = 12  # directories in a path that may be the place of the tree
_OF_NGINX = re.compile(r"nginx|openresty|tengine|angie|freenginx")


class Moved(Struct, frozen=True):
    """``prefix`` means the directory ``base``; ``example`` is a file or a glob that shows it."""

    prefix: str
    base: str
    example: str

    def sentence(self, main: str, top: str = "") -> str:
        """What was found out about the configuration ``main``, for people; ``top`` is the name of what holds it."""
        base = f"{top}{self.base}" if top else posixpath.normpath(self.base)
        return f"{main}: {self.prefix} is taken for {base}, which contains {self.example} (--prefix says otherwise)"


def inferred(
    text: str, bases: Sequence[str], known: Iterable[str], exists: Callable[[str], bool]
) -> Moved | None:
    """The place of a tree for the configuration ``text``; None where nothing shows one.

    ``bases`` are directories that may be meant, that of the configuration first; ``known`` the absolute directories
    that mean that one anyway. ``exists`` says whether there is a file, or one that a glob matches.
    """
    includes = _absolute(text)
    if not includes:
        return None
    usual = {
        each
        for each in includes
        for prefix in known
        if each.startswith(f"{prefix}/") and exists(posixpath.join(bases[0], each[len(prefix) + 1 :]))
    }
    if len(usual) == len(includes):
        return None
    best: tuple[int, Moved] | None = None
    for base in bases:
        for prefix in _prefixes(includes):
            found = [each for each in includes if _is_at(base, prefix, each, exists)]
            if len(found) <= len(usual) or not usual.issubset(found) or not _shows(prefix, found, includes):
                continue
            if best is None or len(found) > best[0]:
                best = len(found), Moved(prefix, base, found[0][len(prefix) + 1 :])
    return best[1] if best else None


def _absolute(text: str) -> list[str]:
    """Absolute arguments of ``include``, each once."""
    found = (
        posixpath.normpath(match[1])
        for match in islice(compiled(_INCLUDE).finditer(text), _MOST_LOOKED_AT)
        if not compiled(_NO_STATEMENT).search(text[text.rfind("\n", 0, match.start()) + 1 : match.start()])
    )
    return list(dict.fromkeys(found))[:_MOST_INCLUDES]


def _prefixes(includes: list[str]) -> Iterable[str]:
    """Directories that are part of the paths, the shortest first: what is found with the most of a path is certain."""
    found: dict[str, None] = {}
    for each in includes:
        parts = each.split("/")[1:-1][:_DEEPEST]
        found.update(dict.fromkeys(f"/{'/'.join(parts[:count])}" for count in range(1, len(parts) + 1)))
    return sorted((each for each in found if not is_pattern(each)), key=lambda each: each.count("/"))


def _is_at(base: str, prefix: str, path: str, exists: Callable[[str], bool]) -> bool:
    """Whether ``path`` is there when ``prefix`` means ``base``. A glob without a directory would match anything."""
    tail = path[len(prefix) + 1 :]
    if not path.startswith(f"{prefix}/") or is_pattern(tail.partition("/")[0]):
        return False
    return exists(posixpath.join(base, tail) if base not in ("", ".") else tail)


def _takes_main(path: str, prefix: str) -> bool:
    """Whether a glob would include the configuration itself, or its copy: ``/etc/nginx/conf.d`` is another directory."""
    tail = path.removeprefix(f"{prefix}/")
    return tail != path and is_pattern(tail) and "/" not in tail and fnmatchcase("nginx.conf", tail)


def _shows(prefix: str, found: list[str], includes: list[str]) -> bool:
    """Whether what was found is more than a file that happens to have the same name."""
    if any(_takes_main(each, prefix) for each in includes):
        return False
    named = [each for each in includes if each.startswith(f"{prefix}/") and not is_pattern(each)]
    missing = len([each for each in named if each not in found])
    if missing > len(found):
        return False
    deep = any("/" in each[len(prefix) + 1 :] for each in found)
    return deep or len(found) > 1 or _OF_NGINX.search(prefix) is not None
