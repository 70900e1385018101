"""What ``nginx -V`` prints: version, edition, modules, and where the configuration is."""

from __future__ import annotations

import posixpath
import re
import shlex

from msgspec import Struct

from nginxaudit.nginx.modules import module_of_source
from nginxaudit.nginx.version import OwnVersion, Version, own_version, parse_version

_VERSION = re.compile(
    r"^nginx version: (?P<name>[\w.-]+)/(?P<version>\d+\.\d+\.\d+)[\w.-]*(?: \((?P<build>[^)\n]*)\))?",
    re.MULTILINE,
)
_FORK = re.compile(
    r"^\w+ version: (?P<name>openresty|angie|freenginx|tengine)/(?P<version>\d+(?:\.\d+){2,3})",
    re.MULTILINE | re.IGNORECASE,
)
"""What forks print: ``Angie version: Angie/1.10.0``, with a line for the nginx that it is made of or without."""
_ARGUMENTS = re.compile(r"^configure arguments:(.*)$", re.MULTILINE)
_MODULES = ("--add-module=", "--add-dynamic-module=")
_MOST = 1 << 16  # characters: the longest of packages have 2,000


class Build(Struct, frozen=True):
    """An nginx as it was built. ``prefix`` is the directory of its configuration; None where that is not said.

    ``unknown`` are the third-party modules of which nothing is known. ``own`` is the version of a fork, and ``version`` that of the nginx
    it is made of.
    """

    version: Version
    edition: str
    modules: frozenset[str]
    prefix: str | None
    unknown: tuple[str, ...] = ()
    own: OwnVersion | None = None

    @property
    def version_text(self) -> str:
        """The version as its maker counts."""
        return ".".join(map(str, self.own or self.version))


def parse_build(text: str) -> Build:
    """The build that the output of ``nginx -V`` describes. Raises `ValueError`."""
    text = text[:_MOST].replace("\r\n", "\n")
    fork, found = _FORK.search(text), _VERSION.search(text)
    if fork is None and found is None:
        raise ValueError('it is no output of nginx -V: no line begins with "nginx version: nginx/"')
    words = _words(text)
    sources = [word.partition("=")[2] for word in words if word.startswith(_MODULES)]
    known = {source: module_of_source(source) for source in sources}
    version, edition, own = _made_of(fork, found)
    return Build(
        version,
        edition,
        frozenset(name for name in known.values() if name is not None),
        _prefix(dict(word.partition("=")[::2] for word in words)),
        tuple(source for source, name in known.items() if name is None),
        own,
    )


def _made_of(
    fork: re.Match[str] | None, nginx: re.Match[str] | None
) -> tuple[Version, str, OwnVersion | None]:
    """Version of nginx, edition, and the version of a fork."""
    if fork is None:
        return (
            parse_version(nginx["version"] if nginx else ""),
            "plus" if nginx and "nginx-plus" in (nginx["build"] or "") else "oss",
            None,
        )
    from nginxaudit.nginx.editions import target_of

    edition, own = fork["name"].lower(), own_version(fork["version"])
    said = nginx is not None and nginx["name"].lower() == "nginx"
    return (
        parse_version(nginx["version"]) if said and nginx else target_of(edition, own).version,
        edition,
        own,
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
