"""Clones of repositories in one directory, and the C and C++ texts of a revision of one of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_SOURCE = re.compile(r".*\.(?:c|cc|cpp|h|hpp)")
_ASIDE = re.compile(
    r"(?:^|/)(?:tests?|t|examples?|objs|bench\w*|fuzz\w*|third[-_]?party|deps|vendor)/|src/mysql/", re.I
)
"""Texts that are not part of what is built."""
_INCLUDED = re.compile(r'^\s*#\s*include\s+["<]([^">]+\.c)[">]', re.M)


class Clones:
    """``directory`` has a clone of ``owner/name`` as ``owner/name``, ``owner+name`` or ``name``, bare or with a work tree."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, repository: str) -> Path | None:
        """The git directory of a repository; None where there is no clone."""
        for name in (repository, repository.replace("/", "+"), repository.rpartition("/")[2]):
            for end in ("", "repo"):
                git = git_directory(self._directory / name / end)
                if git is not None:
                    return git
        return None


def git_directory(path: Path) -> Path | None:
    """The git directory at ``path``: itself, or below it."""
    return next((each for each in (path / ".git", path) if (each / "HEAD").is_file()), None)


def run(git: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    """Output of a git command."""
    command = ["git", f"--git-dir={git}", *arguments]
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True).stdout


def day(git: Path, revision: str = "HEAD") -> str:
    """The day of a revision."""
    return run(git, "log", "-1", "--format=%cs", revision).decode().strip()


def listed(git: Path, revision: str, folders: tuple[str, ...] = ()) -> dict[str, str]:
    """Paths of the source files of a revision, with the ids of their texts."""
    lines = run(git, "ls-tree", "-r", revision, "--", *folders).decode("utf-8", "replace").splitlines()
    found = {line.partition("\t")[2]: line.partition("\t")[0].split()[2] for line in lines}
    return {path: each for path, each in found.items() if _SOURCE.fullmatch(path) and not _ASIDE.search(path)}


def texts(git: Path, ids: set[str]) -> dict[str, str]:
    """Texts by their ids; those that the clone does not have are left out."""
    ordered = sorted(ids)
    content = run(git, "cat-file", "--batch", stdin="\n".join(ordered).encode() + b"\n")
    found, at = {}, 0
    for each in ordered:
        end = content.index(b"\n", at)
        words = content[at:end].split()
        at = end + 1
        if words[1] == b"missing":
            continue
        found[each] = content[at : at + int(words[2])].decode("utf-8", "replace")
        at += int(words[2]) + 1
    return found


def joined(files: dict[str, str]) -> dict[str, str]:
    """Texts by path in which the C files that they include stand: a table may be written by a generator."""

    def included(match: re.Match[str]) -> str:
        name = match[1].rpartition("/")[2]
        return next((text for path, text in files.items() if path.rpartition("/")[2] == name), match[0])

    return {path: _INCLUDED.sub(included, text) for path, text in files.items()}
