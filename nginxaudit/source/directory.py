"""Opening the directory of a file that is written: which symbolic links may lead there.

A repository may hold links that its author made to have other files overwritten. The path is therefore walked
name by name, each directory opened relative to the one before, so that what was checked is what is used:

- a link inside a repository may not lead out of it;
- on a relative path, a link below the working directory may not lead out of that, if it is in no repository;
- a link in a directory that everybody may write to (``/tmp``) must belong to us or to the owner of the directory,
  as Linux itself demands (``protected_symlinks``).

Other links are the user's own (``/tmp`` on macOS, ``/var/run``) and followed.
"""

from __future__ import annotations

import errno
import os
import stat

from nginxaudit.source.read import is_below
from nginxaudit.source.repository import is_planted, repository_of

_MOST_LINKS = 40  # as Linux
# O_PATH (Linux) opens directories that may be entered but not listed.
_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


class WriteError(Exception):
    """A file is not written. ``str()`` is the reason for people, without the path."""


class Directory:
    """An open directory: its real ``path`` and a descriptor to which names are relative."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd

    def status(self, name: str) -> os.stat_result | None:
        """What ``name`` is, without following a link; None when there is nothing. Raises `OSError`."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def require_owner(self, status: os.stat_result) -> None:
        """Raise `WriteError` for what another user has put where everybody may put something."""
        if is_planted(os.fstat(self.fd), status):
            raise WriteError(
                f"another user owns it, in {self.path}, where every user can create files: give another path"
            )

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)


def open_directory(path: str) -> Directory:
    """Open the directory ``path``. Raises `WriteError` for a link that must not be followed, and `OSError`."""
    walk = _Walk(path)
    try:
        walk.run()
    except BaseException:
        os.close(walk.fd)
        raise
    return Directory(walk.here, walk.fd)


def require_direct(path: str) -> None:
    """Raise `WriteError` when ``path``, in which files are to be changed, is a symbolic link or leads out by one."""
    bare = path
    while bare.endswith(("/", "/.")) and bare.strip("/."):
        bare = bare[:-1]
    try:
        if os.path.islink(bare):
            real = os.path.realpath(bare)
            target = real if os.path.isabs(bare) else os.path.relpath(real)
            raise WriteError(f"it is a symbolic link to {target}: give that path if you mean it")
        open_directory(bare if os.path.isdir(bare) else os.path.dirname(bare) or ".").close()
    except OSError:
        return  # nothing is there: reading reports it


class _Walk:
    """From the start of a path to its end."""

    def __init__(self, path: str) -> None:
        absolute = os.path.isabs(path)
        self.here = "/" if absolute else os.getcwd()
        self.fd = os.open(self.here if absolute else ".", _FLAGS)
        self._working = None if absolute else self.here
        self._rest = path.split("/")[::-1]
        self._bounds: list[tuple[str, str, str]] = []  # link, the directory that it must not leave, its word
        self._links = 0

    def run(self) -> None:
        while self._rest:
            name = self._rest.pop()
            if name in ("", "."):
                continue
            if name == "..":
                self._enter(name, os.path.dirname(self.here))
                continue
            status = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                self._follow(name, status)
            else:
                self._enter(name, os.path.join(self.here, name))
        for link, bound, word in self._bounds:
            if not is_below(self.here, [bound]):
                raise WriteError(
                    f"the symbolic link {link} leads out of the {word}, to {self.here}: give that path if you mean it"
                )

    def _enter(self, name: str, path: str) -> None:
        fd = os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=self.fd)
        os.close(self.fd)
        self.fd, self.here = fd, path

    def _follow(self, name: str, status: os.stat_result) -> None:
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        link = os.path.join(self.here, name)
        try:
            Directory(self.here, self.fd).require_owner(status)
        except WriteError as error:
            raise WriteError(f"the symbolic link {link}: {error}") from None
        repository = repository_of(self.here)
        if repository is not None:
            self._bounds.append((link, repository, "repository"))
        elif self._working is not None and is_below(self.here, [self._working]):
            self._bounds.append((link, self._working, "working directory"))
        target = os.readlink(name, dir_fd=self.fd)
        self._rest += target.split("/")[::-1]
        if os.path.isabs(target):
            self._enter("/", "/")
