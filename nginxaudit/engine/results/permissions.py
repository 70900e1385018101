"""Who may read keys and write configurations on this machine (``--check-files``)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from nginxaudit.hit import Hit, Place, arg
from nginxaudit.syntax.tree import Config, Directive, Token

WRITABLE = "configuration-writable"
_EVERYONE, _GROUP = "every local user", "the group of the file"
_RIGHTS = {0o2: "write", 0o4: "read", 0o6: "read and write"}


def exposed_key(node: Directive, token: Token, path: str, *, strict: bool) -> Hit | None:
    """A key that other users of the machine can read, or replace."""
    real = os.path.realpath(path)
    mode = _mode(real)
    if mode & 0o006 and (strict or _is_open(os.path.dirname(real))):
        who, bits = _EVERYONE, mode & 0o006
    elif mode & 0o020 or (strict and mode & 0o040):
        who, bits = _GROUP, (mode & 0o060) >> 3
    else:
        return None
    what = "passwords" if node.name.endswith("password_file") else "key"
    return Hit(
        arg(node, token),
        f"mode {mode & 0o777:o} allows {who} to {_RIGHTS[bits]} the {what} in {os.path.basename(token)}",
        node,
        help=f"Run chmod 600 {real}. nginx reads the file as root, before it starts its workers.",
    )


def writable_files(config: Config, *, strict: bool) -> Iterator[Hit]:
    """Files of ``config``, which `is_on_disk`, that other users can change or replace."""
    directories: set[str] = set()
    for source in config.sources.values():
        real = os.path.realpath(source.path)
        directory = os.path.dirname(real)
        place = Place(source, 0, 0)
        who = _writer(_mode(real), directory, strict=strict)
        if who:
            yield Hit(
                place,
                f"mode {_mode(real) & 0o777:o} allows {who} to change {os.path.basename(real)}, which nginx reads as root",
                help=f"Run chmod go-w {real}.",
            )
        mode = _mode(directory)
        if directory in directories or mode & stat.S_ISVTX:
            continue  # with the sticky bit files of others cannot be replaced
        directories.add(directory)
        who = _writer(mode, os.path.dirname(directory), strict=strict)
        if who:
            yield Hit(
                place,
                f"mode {mode & 0o777:o} of {directory} allows {who} to replace {os.path.basename(real)}",
                help=f"Run chmod go-w {directory}.",
            )


def _writer(mode: int, directory: str, *, strict: bool) -> str:
    if mode & 0o002 and (strict or _is_open(directory)):
        return _EVERYONE
    return _GROUP if strict and mode & 0o020 else ""


def _mode(path: str) -> int:
    """The mode of a file; 0 where it is not there, or may not be asked for."""
    try:
        return os.stat(path).st_mode
    except OSError:
        return 0


def _is_open(directory: str) -> bool:
    """Whether every user may enter a directory and those above it."""
    while _mode(directory) & 0o001:
        above = os.path.dirname(directory)
        if above == directory:
            return True
        directory = above
    return False
