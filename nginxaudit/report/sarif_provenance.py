"""Which commit was audited: read from ``.git``, without running anything.

Only what nobody could mistake is said: a repository with an ``origin``. Credentials in its URL are left out.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import sarif_om as om

from nginxaudit.report.sarif_places import ROOT
from nginxaudit.source.read import ReadError, is_below, open_regular

_ORIGIN = re.compile(r'\[remote "origin"\][^\[]*?^\s*url\s*=\s*(\S+)\s*$', re.MULTILINE | re.DOTALL)
_SCP = re.compile(r"(?:[\w.-]+@)?([\w.-]+\.[\w-]+):(?!//)(.+)")  # git@host:owner/name
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MOST = 1 << 20  # bytes read of one file below .git


REPOSITORY = "%REPOROOT%"


def base_ids(start: str = ".") -> dict[str, om.ArtifactLocation]:
    """What the relative paths of a report are relative to: the start, and the repository around it."""
    words = om.Message(text="The directory in which nginxaudit was started.")
    inside = _inside(start)
    if inside in (None, "."):
        return {ROOT: om.ArtifactLocation(description=words)}
    return {
        ROOT: om.ArtifactLocation(uri=f"{quote(str(inside))}/", uri_base_id=REPOSITORY, description=words),
        REPOSITORY: om.ArtifactLocation(description=om.Message(text="The root of the repository.")),
    }


def _inside(start: str) -> str | None:
    """Path of ``start`` below the root of its repository, ``.`` at the root, None outside of one."""
    git = _git_directory(Path(os.path.abspath(start)))
    return os.path.relpath(start, git.parent) if git else None


def provenance(start: str = ".") -> list[om.VersionControlDetails] | None:
    """Repository, branch and commit of the working tree around ``start``; None if there is none."""
    git = _git_directory(Path(os.path.abspath(start)))
    origin = _ORIGIN.search(_read(git / "config")) if git else None
    uri = _uri(origin[1]) if origin else None
    if git is None or uri is None:
        return None
    head = _read(git / "HEAD").strip()
    branch = head.removeprefix("ref: ").removeprefix("refs/heads/") if head.startswith("ref: ") else None
    commit = _commit(git, head)
    root = om.ArtifactLocation(uri_base_id=ROOT if _inside(start) == "." else REPOSITORY)
    return [om.VersionControlDetails(repository_uri=uri, revision_id=commit, branch=branch, mapped_to=root)]


def _git_directory(directory: Path) -> Path | None:
    for each in (directory, *directory.parents):
        if (each / ".git").is_dir():
            return each / ".git"
    return None


def _read(path: Path) -> str:
    """Begin of a file below ``.git``; empty for what is none, or leads out of it."""
    git = next((each for each in path.parents if each.name == ".git"), path.parent)
    if not is_below(os.path.realpath(path), [os.path.realpath(git)]):
        return ""
    try:
        with open_regular(str(path)) as file:
            return file.read(_MOST).decode("utf-8", "replace")
    except (OSError, ReadError):
        return ""


def _commit(git: Path, head: str) -> str | None:
    if _COMMIT.fullmatch(head):
        return head
    reference = head.removeprefix("ref: ")
    if not reference.startswith("refs/") or ".." in reference:
        return None
    text = _read(git / reference).strip()
    if not text:
        packed = (line.split() for line in _read(git / "packed-refs").splitlines())
        text = next((words[0] for words in packed if words[1:] == [reference]), "")
    return text if _COMMIT.fullmatch(text) else None


def _uri(origin: str) -> str | None:
    """An absolute URI for a remote as git writes it."""
    scp = _SCP.fullmatch(origin)
    if scp:
        return f"https://{scp[1]}/{scp[2]}"
    if origin.startswith("/"):
        return Path(origin).as_uri()
    parts = urlsplit(origin)
    if not parts.scheme or not (parts.hostname or parts.path):
        return None
    host = parts.hostname or ""
    return urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, "", ""))
