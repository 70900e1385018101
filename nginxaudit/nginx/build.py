"""What ``nginx -V`` prints: version, edition, modules, and where the configuration is."""

from __future__ import annotations

import posixpath
import re
import shlex

from msgspec import Struct

from nginxaudit.nginx.modules import module_of_source
from nginxaudit.nginx.version import Version, parse_version

_VERSION = re.compile(
    r"^nginx version: (?P<name>[\w.-]+)/(?P<version>\d+\.\d+\.\d+)[\w.-]*(?: \((?P<build>[^)\n]*)\))?",
    re.MULTILINE,
)
_ARGUMENTS = re.compile(r"^configure arguments:(.*)$", re.MULTILINE)
_MODULES = ("--add-module=", "--add-dynamic-module=")
_MOST = 1 << 16  # characters: the longest of packages have 2,000


class Build(Struct, frozen=True):
    """An nginx as it was built. ``prefix`` is the directory of its configuration; None where that is not said.

    ``unknown`` are the third-party modules of which nothing is known.
    """

    version: Version
    edition: str
    modules: frozenset[str]
    prefix: str | None
    unknown: tuple[str, ...] = ()


def parse_build(text: str) -> Build:
    """The build that the output of ``nginx -V`` describes. Raises `ValueError`."""
    text = text[:_MOST].replace("\r\n", "\n")
    found = _VERSION.search(text)
    if found is None:
        raise ValueError('it is no output of nginx -V: no line begins with "nginx version: nginx/"')
    words = _words(text)
    sources = [word.partition("=")[2] for word in words if word.startswith(_MODULES)]
    known = {source: module_of_source(source) for source in sources}
    return Build(
        parse_version(found["version"]),
        "plus" if "nginx-plus" in (found["build"] or "") else "oss",
        frozenset(name for name in known.values() if name is not None),
        _prefix(dict(word.partition("=")[::2] for word in words)),
        tuple(source for source, name in known.items() if name is None),
    )


def _words(text: str) -> list[str]:
    found = _ARGUMENTS.search(text)
    try:
        return shlex.split(found[1]) if found is not None else []
    except ValueError:  # a quote that is not closed: the line was cut
        return found[1].split() if found is not None else []


def _prefix(arguments: dict[str, str]) -> str | None:
    """The directory of the configuration: of ``--conf-path``, or ``conf`` below ``--prefix``."""
    top = arguments.get("--prefix")
    if not arguments:
        return None
    path = arguments.get("--conf-path") or "conf/nginx.conf"
    whole = posixpath.normpath(posixpath.join(top or "/usr/local/nginx", path))
    return posixpath.dirname(whole) if whole.startswith("/") else None
