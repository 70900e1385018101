"""A checkout of nginx's source: its releases, and the C files of each, every text read once."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

Version = tuple[int, int, int]
_RELEASE = re.compile(r"release-(\d+)\.(\d+)\.(\d+)")


class Checkout:
    """The git repository in ``directory``, with or without a work tree."""

    def __init__(self, directory: Path) -> None:
        inside = directory / ".git"
        self._git = ["git", f"--git-dir={inside if inside.exists() else directory}"]
        self._head: Version | None = None

    def _run(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        return subprocess.run(
            [*self._git, *arguments], input=stdin, stdout=subprocess.PIPE, check=True
        ).stdout

    def releases(self, oldest: Version, *, head: bool = False) -> list[Version]:
        """All releases from ``oldest`` on, in the order of their numbers; with ``head`` what is checked out counts as the next one."""
        names = self._run("tag", "--list", "release-*").decode().split()
        found = [match for match in map(_RELEASE.fullmatch, names) if match]
        versions = sorted((int(one[1]), int(one[2]), int(one[3])) for one in found)
        if head:
            text = self._run("show", "HEAD:src/core/nginx.h").decode()
            number = re.search(r'NGINX_VERSION\s+"(\d+)\.(\d+)\.(\d+)"', text)
            version = (int(number[1]), int(number[2]), int(number[3])) if number else (0, 0, 0)
            if not versions or version > versions[-1]:
                self._head = version
                versions.append(version)
        return [version for version in versions if version >= oldest]

    def _revision(self, version: Version) -> str:
        return "HEAD" if version == self._head else "release-" + ".".join(map(str, version))

    def date(self, version: Version) -> str:
        """The day of a release."""
        return self._run("log", "-1", "--format=%cs", self._revision(version)).decode().strip()

    def sources(self, version: Version) -> set[str]:
        """The ids of the texts of the C files of a release, without the test of MySQL that was there once."""
        listed = self._run("ls-tree", "-r", self._revision(version), "--", "src").decode().splitlines()
        return {
            line.partition("\t")[0].split()[2]
            for line in listed
            if line.endswith(".c") and "src/mysql/" not in line
        }

    def texts(self, ids: set[str]) -> Iterator[tuple[str, str]]:
        """Texts by their ids."""
        ordered = sorted(ids)
        content = self._run("cat-file", "--batch", stdin="\n".join(ordered).encode() + b"\n")
        at = 0
        for each in ordered:
            end = content.index(b"\n", at)
            size = int(content[at:end].split()[2])
            yield each, content[end + 1 : end + 1 + size].decode("utf-8", "replace")
            at = end + 1 + size + 1
