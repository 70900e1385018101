"""Which commit of which repository a directory holds: read from ``.git``, without running anything.

``.git`` is as untrusted as the rest of the tree. It is read as data, never through a link out of it, and it counts only where
it is of this tree: a ``.git`` that is a link, or a file that names a directory which does not name this tree in turn
(as those of worktrees and submodules do), would show another repository, and a ``.git`` in a directory above that
belongs to another user (``/tmp/.git``) is not the one of what is below it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from msgspec import Struct

from nginxaudit.source.fence import Fence, read_file
from nginxaudit.source.links import real_path
from nginxaudit.source.read import ReadError, Unreadable
from nginxaudit.source.repository import repository_of

_MOST = 1 << 20  # bytes of a file below .git
_MOST_REFERENCES = 64 << 20  # bytes of packed-refs: some repositories have a million
_SECTION = re.compile(r'\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]\s*')
_VARIABLE = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*=\s*")
_ESCAPED = re.compile(r"\\([\"\\])")
_PIECE = re.compile(r"""\"((?:[^"\\]|\\["\\])*)\"|[^"\\#;]+|\\["\\]""")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NOT_IN_NAMES = frozenset(" ~^:?*[\\")


class Repository(Struct, frozen=True):
    """A working tree: its root ``top``, its directory below ``.git``, and the one that all worktrees share."""

    top: str
    own: str
    common: str


class Head(Struct, frozen=True):
    """What is checked out; ``branch`` is None for a commit without one, ``commit`` before the first one."""

    branch: str | None
    commit: str | None


def repository_at(start: str) -> Repository | None:
    """The repository whose working tree holds the directory ``start``; None where there is none that counts."""
    try:
        here = real_path(start)
        top = repository_of(here)
        if top is None:
            return None
        owners = {os.geteuid(), 0, os.stat(here).st_uid}
        git = os.path.join(top, ".git")
        if os.lstat(git).st_uid not in owners or os.path.islink(git):
            return None
        if os.path.isdir(git):
            return Repository(top, git, git)
        prefix, _, path = _line(git, Fence([git])).partition(" ")
        own = real_path(os.path.join(top, path))
        if prefix != "gitdir:" or os.stat(own).st_uid not in owners:
            return None
        return _worktree(top, own) or _submodule(top, own)
    except (OSError, ReadError):
        return None


def origin_of(repository: Repository) -> str | None:
    """The URL of the remote ``origin``, as the configuration spells it. Raises `ReadError`."""
    names = (("remote", "origin"), ("remote.origin", None))
    return _first(repository.common, names, "url")


def head_of(repository: Repository) -> Head:
    """Branch and commit. Raises `ReadError` for what git would not have written."""
    head = _line(os.path.join(repository.own, "HEAD"), _fence(repository))
    if _COMMIT.fullmatch(head):
        return Head(None, head)
    reference = head.removeprefix("ref: ")
    branch = reference.removeprefix("refs/heads/")
    if reference in (head, branch) or not _is_name(branch):
        raise _wrong("HEAD names neither a branch nor a commit")
    commit = _commit(repository, reference)
    if commit is not None and not _COMMIT.fullmatch(commit):
        raise _wrong("the branch is no commit")
    return Head(branch, commit)


def _worktree(top: str, own: str) -> Repository | None:
    """What ``git worktree add`` made: the directory of the worktree names its ``.git``, and lies in the shared one."""
    parent, kind = os.path.split(os.path.dirname(own))
    if kind != "worktrees":
        return None
    fence = Fence([own])
    listed = real_path(os.path.join(own, _line(os.path.join(own, "gitdir"), fence)))
    common = real_path(os.path.join(own, _line(os.path.join(own, "commondir"), fence)))
    return Repository(top, own, common) if (listed, common) == (os.path.join(top, ".git"), parent) else None


def _submodule(top: str, own: str) -> Repository | None:
    """A submodule: its directory in the outer repository names its working tree."""
    if "/modules/" not in own:
        return None
    listed = _first(own, (("core", None),), "worktree")
    return Repository(top, own, own) if listed and real_path(os.path.join(own, listed)) == top else None


def _commit(repository: Repository, reference: str) -> str | None:
    fence = _fence(repository)
    try:
        return _line(os.path.join(repository.common, reference), fence)
    except ReadError as error:
        if error.kind not in (Unreadable.MISSING, Unreadable.DIRECTORY):
            raise
    try:
        packed = _text(os.path.join(repository.common, "packed-refs"), fence, _MOST_REFERENCES)
    except ReadError as error:
        if error.kind is not Unreadable.MISSING:
            raise
        return None
    end = packed.find(f" {reference}\n")
    return None if end < 0 else packed[packed.rfind("\n", 0, end) + 1 : end]


def _is_name(branch: str) -> bool:
    """Whether git takes ``branch`` as the name of a branch."""
    return (
        branch.isprintable()
        and _NOT_IN_NAMES.isdisjoint(branch)
        and not any(word in branch for word in ("..", "@{"))
        and all(
            part and not part.startswith(".") and not part.endswith((".", ".lock"))
            for part in branch.split("/")
        )
    )


def _fence(repository: Repository) -> Fence:
    return Fence([repository.own, repository.common])


def _text(path: str, fence: Fence, limit: int = _MOST) -> str:
    return read_file(path, path, fence, limit=limit).text


def _line(path: str, fence: Fence) -> str:
    return _text(path, fence).removesuffix("\n")


def _wrong(reason: str) -> ReadError:
    return ReadError(Unreadable.REFUSED, reason)


# -- the format of .git/config


def _first(directory: str, sections: tuple[tuple[str, str | None], ...], name: str) -> str | None:
    """The first value of a variable in one of the sections of a repository's configuration."""
    text = _text(os.path.join(directory, "config"), Fence([directory]))
    return next(
        (value for section, key, value in _variables(text) if key == name and section in sections), None
    )


def _variables(text: str) -> Iterator[tuple[tuple[str, str | None], str, str]]:
    """Section, name and value of all variables; values that are continued on the next line are joined."""
    section: tuple[str, str | None] = ("", None)
    for line in text.replace("\r\n", "\n").replace("\\\n", "").split("\n"):
        line = line.strip()
        at = 0
        while header := _SECTION.match(line, at):
            section = header[1].lower(), header[2]
            at = header.end()
        variable = _VARIABLE.match(line, at)
        if variable:
            yield section, variable[1].lower(), _value(line, variable.end())


def _value(line: str, at: int) -> str:
    pieces = []
    while piece := _PIECE.match(line, at):
        pieces.append(_ESCAPED.sub(r"\1", piece[1] if piece[1] is not None else piece[0]))
        at = piece.end()
    rest = line[at:]
    if rest and (rest[0] not in "#;" or "@" in rest):  # a password may hold what begins a comment
        raise _wrong("a value that is not certain")
    return "".join(pieces).rstrip()
