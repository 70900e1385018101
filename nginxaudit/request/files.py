"""Paths of files, and whether they exist.

Paths are made as in ``ngx_http_map_uri_to_path`` (src/http/ngx_http_core_module.c).
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from nginxaudit.request.evaluate import known, value
from nginxaudit.request.flight import Flight, Unknown, Value
from nginxaudit.syntax.tree import Directive

_SLASHES = re.compile("/{2,}")


class NoPath(Exception):  # noqa: N818
    """``alias`` after a rewrite: nginx answers 500."""


class Root(Struct, frozen=True):
    """``root`` or ``alias`` in effect. ``cut`` is how much of the URI an alias replaces, None for all of it."""

    node: Directive | None
    text: str
    cut: int | None = 0

    @property
    def is_alias(self) -> bool:
        """It is an ``alias``."""
        return self.cut != 0


_HTML = Root(None, "html")


def find_root(flight: Flight, block: Directive) -> Root:
    """The ``root`` or ``alias`` in effect in a block: one of both, the nearest."""
    at: Directive | None = block
    while at is not None:
        node = at.first("root") or at.first("alias")
        if node is not None and node.args:
            return _read(flight, node, at)
        at = at.parent
    return _HTML


def _read(flight: Flight, node: Directive, block: Directive) -> Root:
    text = str(node.args[0])
    if node.name == "root":
        return Root(node, text.removesuffix("/"))
    location = flight.model.location_of(block)
    if location is None:
        return Root(node, text)
    return Root(node, text, None if location.is_regex else len(location.pattern))


def root_of(flight: Flight) -> Value:
    """``$document_root``."""
    root = find_root(flight, flight.block)
    return _full(flight, value(flight, root.text))


def _full(flight: Flight, path: Value) -> Value:
    """A path with the prefix before it, where that is known and the path is relative."""
    prefix = flight.world.prefix
    if not prefix or isinstance(path, Unknown) or path.startswith("/"):
        return path
    return f"{prefix.rstrip('/')}/{path}"


def path_of(flight: Flight) -> Value:
    """The path of the file for the URI. Raises `NoPath`."""
    root = find_root(flight, flight.block)
    if root.is_alias and not flight.valid_location:
        raise NoPath
    base = _full(flight, value(flight, root.text))
    rest = flight.uri[root.cut or 0 :]
    if root.cut is None and not flight.add_uri_to_alias:
        rest = ""
    if isinstance(base, Unknown):
        return Unknown(base.shown + rest, base.reason)
    return base + rest


def full_path(flight: Flight, text: str) -> str:
    """A path that the way depends on, of a text with variables."""
    found = _full(flight, known(flight, text))
    assert isinstance(found, str)
    return found


# -- what exists


@lru_cache(maxsize=64)
def _folders(files: frozenset[str]) -> frozenset[str]:
    """The directories of all files."""
    found: set[str] = set()
    for path in files:
        parts = path.rstrip("/").split("/") if not path.endswith("/") else [*path.rstrip("/").split("/"), ""]
        found.update("/".join(parts[:at]) for at in range(1, len(parts)))
    return frozenset(each or "/" for each in found)


def _normal(path: str) -> str:
    return _SLASHES.sub("/", path)


def is_file(flight: Flight, path: str, node: Directive | None = None) -> bool:
    """Whether a path is that of a regular file."""
    path = _normal(path)
    if path.endswith("/"):
        return False
    world = flight.world
    if path in world.files:
        return True
    if world.complete or path in world.missing or path in _folders(world.files):
        return False
    answers = flight.oracle.answers
    if answers.get(("dir", path)) is True or answers.get(("dir", path.rpartition("/")[0])) is False:
        return False
    return flight.yes(("file", path), f"{path} is a file", f"{path} is not a file", node)


def is_dir(flight: Flight, path: str, node: Directive | None = None) -> bool:
    """Whether a path is that of a directory."""
    path = _normal(path).rstrip("/") or "/"
    world = flight.world
    if path in _folders(world.files):
        return True
    if world.complete or path in world.files or f"{path}/" in world.missing or path in world.missing:
        return False
    answers = flight.oracle.answers
    if answers.get(("file", path)) is True:
        return False
    inside = f"{path}/"
    for key, answer in answers.items():
        if answer is True and type(key) is tuple and key[0] in ("file", "dir") and key[1].startswith(inside):
            return True
    return flight.yes(("dir", path), f"{path} is a directory", f"{path} is not a directory", node)


def exists(flight: Flight, path: str, node: Directive | None = None) -> bool:
    """Whether a path is that of anything."""
    return is_file(flight, path, node) or is_dir(flight, path, node)
