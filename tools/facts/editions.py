"""Where the source of each edition of nginx is, and its releases with the nginx that they are made of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tools.facts.clones import Clones, day, listed, run, texts

Version = tuple[int, ...]
_NGINX = re.compile(r'NGINX_VERSION\s+"(\d+(?:\.\d+)+)"')
_TARBALL = re.compile(r"^ver=(\S+)\n[^#\n]*github\.com/([\w.-]+/[\w.-]+)/(?:tarball|archive)/", re.M)


class Release(NamedTuple):
    """A release: its own version, the nginx it is made of, and what it is called in its repository."""

    version: Version
    base: Version
    revision: str


class Edition(NamedTuple):
    """An edition: its repository, how releases are tagged, and where its version and its source are.

    ``forked_from`` is the nginx that it left and whose changes it has not taken over since; None: its releases say it.
    ``bundle``: the repository has no source of nginx, but a list of modules with their versions.
    """

    repository: str
    tags: str
    version: tuple[str, str]
    folders: tuple[str, ...] = ("src",)
    forked_from: Version | None = None
    oldest: Version = (0,)
    bundle: str = ""


EDITIONS = {
    "angie": Edition("webserver-llc/angie", r"Angie-([\d.]+)", ("src/core/angie.h", "ANGIE_VERSION")),
    "freenginx": Edition(
        "freenginx/nginx",
        r"release-([\d.]+)",
        ("src/core/nginx.h", "NGINX_VERSION"),
        forked_from=(1, 25, 4),
        oldest=(1, 25, 4),
    ),
    "openresty": Edition(
        "openresty/openresty", r"v([\d.]+)", ("util/ver", ""), bundle="util/mirror-tarballs"
    ),
    "tengine": Edition(
        "alibaba/tengine",
        r"(?:tengine-)?([\d.]+)",
        ("src/core/nginx.h", "TENGINE_VERSION"),
        ("src", "modules"),
    ),
}


def version_of(text: str) -> Version:
    """``1.27.1.2`` as numbers."""
    return tuple(map(int, text.split(".")))


class Source:
    """The source of an edition in ``clones``: its releases made of ``oldest`` or a newer nginx, and their texts."""

    def __init__(self, edition: Edition, clones: Clones, oldest: Version) -> None:
        git = clones.find(edition.repository)
        if git is None:
            raise FileNotFoundError(f"no clone of {edition.repository}")
        self._edition, self._clones, self._git = edition, clones, git
        self._of: dict[str, Path] = {}
        found = {each.version: each for each in self._tagged() if each.base >= oldest}
        head = self._head()
        if head is not None and (not found or head.version > max(found)):
            found[head.version] = head
        self.releases = [found[version] for version in sorted(found) if version >= edition.oldest]

    def _tagged(self) -> list[Release]:
        tags = run(self._git, "tag", "--list").decode().split()
        named = [(tag, re.fullmatch(self._edition.tags, tag)) for tag in tags]
        found = [self._release(version_of(name[1].strip(".")), tag) for tag, name in named if name]
        return [each for each in found if each is not None]

    def _head(self) -> Release | None:
        path, macro = self._edition.version
        if not macro:
            return None
        text = run(self._git, "show", f"HEAD:{path}").decode("utf-8", "replace")
        version = re.search(rf'{macro}\s+"([\d.]+)"', text)
        return self._release(version_of(version[1]), "HEAD") if version else None

    def _release(self, version: Version, revision: str) -> Release | None:
        if self._edition.bundle:
            return Release(version, version[:3], revision)
        if self._edition.forked_from:
            return Release(version, min(version, self._edition.forked_from), revision)
        try:
            text = run(self._git, "show", f"{revision}:src/core/nginx.h").decode("utf-8", "replace")
        except OSError:
            return None
        base = _NGINX.search(text)
        return Release(version, version_of(base[1]), revision) if base else None

    @property
    def newest(self) -> Release:
        """The newest release."""
        return self.releases[-1]

    def date(self) -> str:
        """The day of the newest release."""
        return day(self._git, self.newest.revision)

    def sources(self, release: Release) -> set[str]:
        """The ids of the texts of a release."""
        if not self._edition.bundle:
            found = set(listed(self._git, release.revision, self._edition.folders).values())
            self._of.update(dict.fromkeys(found, self._git))
            return found
        whole: set[str] = set()
        list_of = run(self._git, "show", f"{release.revision}:{self._edition.bundle}").decode()
        for version, repository in _TARBALL.findall(list_of):
            git = self._clones.find(repository)
            if git is not None:
                ids = set(listed(git, _tag(git, version)).values())
                self._of.update(dict.fromkeys(ids, git))
                whole |= ids
        return whole

    def texts(self, ids: set[str]) -> dict[str, str]:
        """Texts by their ids."""
        found: dict[str, str] = {}
        for git in set(self._of.values()):
            found.update(texts(git, {each for each in ids if self._of[each] == git}))
        return found


def _tag(git: Path, version: str) -> str:
    """What a version of a module is called in its repository; the newest commit where it is not tagged."""
    tags = set(run(git, "tag", "--list").decode().split())
    return next((each for each in (f"v{version}", version) if each in tags), "HEAD")
