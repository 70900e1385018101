"""Files of an archive or an image by their names: nothing is unpacked to disk, links lead nowhere but inside."""

from __future__ import annotations

import posixpath
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.source.compressed import is_archive_name
from nginxaudit.source.files import INSTALL_PREFIXES
from nginxaudit.source.limits import DEFAULTS, Limits
from nginxaudit.source.links import Places
from nginxaudit.source.read import ReadError, Unreadable, decode, require_small
from nginxaudit.source.text import SourceText

MAX_MEMBERS = 500_000
"""Of one tree: an image of a Linux distribution has 30,000 files at most, with a large application 300,000."""

MAX_LINKS = 40  # as many as Linux follows
LONGEST_NAME = 4096  # bytes of a path, as on Linux
_SHOWN_NAME = 200  # code points of a name in a message: the reason follows
_DEEPEST = 100
_SYSTEM = frozenset({"bin", "dev", "etc", "lib", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var"})


class Data(Protocol):
    """What holds the bytes of files: an archive, a layer of an image."""

    def read(self, start: int, size: int) -> bytes:
        """``size`` bytes of the file at ``start``, less where they end before. Raises `ReadError`."""


class Entry(Struct, frozen=True, gc=False):
    """A file, as ``size`` bytes of ``data``; or a link to ``target``; or what ``special`` says.

    ``layer`` is the number of the layer that holds it.
    """

    data: Data | None = None
    start: int = 0
    size: int = 0
    target: str | None = None
    hard: bool = False
    special: str = ""
    layer: int = 0


class Directory(dict[str, "Node"]):
    """What is in a directory; ``layer``: the number of the last layer that names the directory."""

    __slots__ = ("layer",)

    def __init__(self, layer: int = 0) -> None:
        super().__init__()
        self.layer = layer


Node: TypeAlias = "Entry | Directory"


class Tree:
    """The files of an archive or of an image; ``noun`` is the word for it.

    ``whole`` says that it is a file system and not a part of one: what is missing in it is missing. ``rooted``
    says that absolute paths are meant from its top.
    """

    def __init__(self, display: str, real: str, limits: Limits = DEFAULTS, noun: str = "archive") -> None:
        self.display = display
        self.limits = limits
        self.noun = noun
        self.top = Directory()
        self.whole = False
        self.rooted = False
        self.refused: dict[str, str] = {}
        self.source: object = None  # what its data is in, which must not be closed before
        self._real = real
        self._count = 0

    # -- filling it

    def put(self, name: str, entry: Entry | None, layer: int = 0) -> None:
        """Put a file in its place, a directory for ``entry`` None. The last one of a name counts.

        A name that is no place in the tree is remembered as refused. Raises `ReadError` for too many.
        """
        parts = self.parts(name)
        if not parts:
            return
        parent = self._parent(parts[:-1], layer)
        last = sys.intern(parts[-1])
        there = parent.get(last)
        if entry is None:
            if isinstance(there, Directory):
                there.layer = layer
            else:
                self._add(parent, last, Directory(layer))
            return
        if entry.hard and entry.target is not None:
            *above, name = [part for part in entry.target.split("/") if part not in ("", ".")] or [""]
            directory = self._followed(above)
            linked = directory.get(name) if isinstance(directory, Directory) else None
            if isinstance(linked, Entry) and not linked.hard:
                entry = replace(linked, layer=layer)
        self._add(parent, last, entry)

    def parts(self, name: str) -> list[str]:
        """The parts of a member's name; none for one that leads elsewhere, which is remembered as refused."""
        parts = [part for part in name[:LONGEST_NAME].split("/") if part not in ("", ".")]
        plain = "/".join(parts)
        if name.startswith("/"):
            self.refused.setdefault(plain, f"its name {name[:LONGEST_NAME]} is absolute")
        elif ".." in parts:
            self.refused.setdefault(posixpath.normpath(plain), f'its name {plain} contains ".."')
        elif len(name) >= LONGEST_NAME or len(parts) > _DEEPEST:
            self.refused.setdefault(plain, "its name is longer or deeper than systems allow")
        else:
            return parts
        return []

    def complete(self, *, whole: bool | None = None) -> None:
        """Find out what kind of a tree it is; ``whole`` says that it is a file system, None that its members tell."""
        self.whole = ("etc" in self.top and len(_SYSTEM & set(self.top)) >= 5) if whole is None else whole
        self.rooted = self.whole or any(self.is_directory(prefix[1:]) for prefix in INSTALL_PREFIXES)

    def _parent(self, parts: list[str], layer: int) -> Directory:
        """The directory of a new member; links on the way are followed as they are when a tree is unpacked."""
        at = self.top
        for number, part in enumerate(parts):
            there = at.get(part)
            if isinstance(there, Entry) and there.target is not None:
                real = self._resolved(parts[: number + 1])
                if real is not None and not isinstance(self._at(real), Entry):
                    at = self._parent(real.split("/") if real else [], layer)
                    continue
            if not isinstance(there, Directory):
                there = Directory(layer)
                self._add(at, sys.intern(part), there)
            at = there
        return at

    def _resolved(self, parts: list[str]) -> str | None:
        try:
            return self.follow("/".join(parts))
        except ReadError:
            return None

    def _followed(self, parts: list[str]) -> Node | None:
        real = self._resolved(parts)
        return None if real is None else self._at(real)

    def _add(self, directory: Directory, name: str, node: Node) -> None:
        if name not in directory:
            self._count += 1
            if self._count > MAX_MEMBERS:
                raise ReadError(
                    Unreadable.REFUSED,
                    f"the {self.noun} has more than {MAX_MEMBERS:,} members",
                    "Pack the configuration alone: tar -czf FILE -C /etc/nginx .",
                )
        directory[name] = node

    def remove(self, name: str, layer: int) -> None:
        """Remove what the layers below ``layer`` have at a place."""
        *above, last = self.parts(name) or [""]
        parent = self._followed(above)
        node = parent.get(last) if isinstance(parent, Directory) else None
        if isinstance(node, Directory):
            _prune(node, layer)
        if node is not None and node.layer < layer and not (isinstance(node, Directory) and node):
            assert isinstance(parent, Directory)
            del parent[last]

    def clear(self, name: str, layer: int) -> None:
        """Remove what the layers below ``layer`` have in a directory."""
        node = self._followed(self.parts(name))
        if isinstance(node, Directory):
            _prune(node, layer)

    # -- looking into it

    def find(self, parts: Iterable[str]) -> Node | None:
        """What is at a place; links are not followed."""
        at: Node | None = self.top
        for part in parts:
            if part:
                at = at.get(part) if isinstance(at, Directory) else None
        return at

    def _at(self, path: str) -> Node | None:
        return self.find(path.split("/"))

    def is_directory(self, path: str) -> bool:
        """Whether there is a directory of exactly this name (no link)."""
        return isinstance(self._at(path), Directory)

    def names(self, directory: str) -> list[str]:
        """What is in a directory, sorted; nothing if it is none."""
        found = self._at(directory)
        return sorted(found) if isinstance(found, Directory) else []

    def has(self, path: str) -> bool:
        """Whether something of this name is there, be it a link that leads nowhere."""
        return self._at(path) is not None or path in self.refused

    def files(self, directory: str) -> Iterator[str]:
        """Names of everything that is no directory below ``directory``, in order. Links are not followed."""
        top = self._at(directory)
        todo = [(directory, top)] if top is not None else []
        found = []
        while todo:
            path, node = todo.pop()
            if isinstance(node, Directory):
                prefix = f"{path}/" if path else ""
                todo += ((prefix + name, each) for name, each in node.items())
            elif path != directory:
                found.append(path)
        yield from sorted(found)

    def is_plain(self, path: str) -> bool:
        """Whether the member of this name is a file itself: no link, no device."""
        entry = self._at(path)
        return isinstance(entry, Entry) and entry.target is None and not entry.special

    def outside(self) -> ReadError:
        """What is said of a file that is not in the tree."""
        if self.whole:
            return ReadError(Unreadable.MISSING, f"the {self.noun} does not contain it")
        return ReadError(Unreadable.OUTSIDE, f"it is not in the {self.noun}", "Pack it as well.")

    def follow(self, path: str, places: Places = ()) -> str:
        """``path`` without links and dots. Raises `ReadError` where it leads out or in circles.

        ``places`` say which directories of the tree are meant by absolute ones.
        """
        links = 0
        done: list[str] = []
        nodes: list[Node | None] = [self.top]  # those of ``done``, and the top before them
        todo = deque(path.split("/"))
        while todo:
            part = todo.popleft()
            if part in ("", "."):
                continue
            if part == "..":
                if not done and self.noun == "image":
                    continue  # for a container the parent of the root is the root
                if not done:
                    raise ReadError(Unreadable.OUTSIDE, f"the path leads out of the {self.noun}")
                done.pop()
                nodes.pop()
                continue
            parent = nodes[-1]
            node = parent.get(part) if isinstance(parent, Directory) else None
            if not isinstance(node, Entry) or node.target is None:
                done.append(part)
                nodes.append(node)
                continue
            links += 1
            if links > MAX_LINKS:
                raise ReadError(Unreadable.REFUSED, "its links form a loop", "Point one of them at a file.")
            target = node.target
            if node.hard or target.startswith("/"):
                done, nodes = [], [self.top]
            if target.startswith("/") and not node.hard:
                inside = self.inside(target, places)
                if inside is None:
                    raise ReadError(
                        Unreadable.OUTSIDE,
                        f"it is a link to {target}, which is not in the {self.noun}",
                        "Pack its target as well.",
                    )
                target = inside
            todo.extendleft(reversed(target.split("/")))
        return "/".join(done)

    def inside(self, path: str, places: Places) -> str | None:
        """Name in the tree of the absolute ``path``; None if the tree has no place for it."""
        if self.rooted:
            return path.lstrip("/")
        for prefix, directory in places:
            if path.startswith(f"{prefix}/"):
                return f"{directory}/{path[len(prefix) + 1 :]}".lstrip("/")
        return None

    def entry(self, path: str, shown: str) -> Entry:
        """The plain file ``path`` (as `follow` gives it), which is called ``shown``. Raises `ReadError`."""
        node = self._at(path)
        if isinstance(node, Directory):
            raise ReadError(Unreadable.DIRECTORY, "it is a directory", "Include its files: DIRECTORY/*.conf")
        if node is None:
            if path in self.refused:
                raise ReadError(
                    Unreadable.REFUSED, f"{self.refused[path]}: it is not followed", "Pack it without -P."
                )
            link = f"it is a link to {path}, which " if path != shown else ""
            raise ReadError(
                Unreadable.MISSING, f"{link}the {self.noun} does not contain{'' if link else ' it'}"
            )
        if node.special:
            raise ReadError(Unreadable.REFUSED, f"it is {node.special}, not a regular file")
        return node

    def text(self, path: str, shown: str) -> SourceText:
        """Text of the file ``path`` (as `follow` gives it), shown as ``shown``. Raises `ReadError`."""
        data = self.bytes(path, self.limits.max_file_size, shown)
        return SourceText(f"{self.display}!{shown}", decode(data), f"archive:{self._real}!{path}")

    def head(self, path: str, size: int) -> str:
        """The first ``size`` bytes of the file ``path`` (as `follow` gives it), as text. Raises `ReadError`."""
        entry = self.entry(path, path)
        return decode(entry.data.read(entry.start, min(entry.size, size))) if entry.data is not None else ""

    def bytes(self, path: str, limit: int, shown: str = "") -> bytes:
        """Bytes of the file ``path`` (as `follow` gives it), ``limit`` of them at most. Raises `ReadError`."""
        entry = self.entry(path, shown or path)
        require_small(entry.size, limit)
        data = entry.data.read(entry.start, entry.size) if entry.data is not None else b""
        if len(data) < entry.size:
            raise ReadError(
                Unreadable.REFUSED, f"the {self.noun} ends in the middle of it", f"Make the {self.noun} anew."
            )
        return data

    def hint(self) -> ReadError:
        """Why no configuration is in it."""
        reason = f"the {self.noun} contains no nginx configuration (nginx.conf or *.conf)"
        if self.refused:
            name, why = next(iter(self.refused.items()))
            return ReadError(
                Unreadable.REFUSED,
                f"{reason} that may be followed; {len(self.refused):,} members are not: of {name[:_SHOWN_NAME]}, {why}",
                "Pack it without -P.",
            )
        remedy = "Pack the directory of nginx.conf."
        inner = next((name for name in self.files("") if is_archive_name(name)), None)
        if inner is not None and not self.whole:
            return ReadError(
                Unreadable.REFUSED, f"{reason}, but an archive: {inner}", "Unpack it and scan that."
            )
        if self.noun == "image":
            remedy = "Give the configuration that it is run with."
        return ReadError(Unreadable.REFUSED, reason, remedy)


def _prune(top: Directory, layer: int) -> None:
    """Remove what is of layers below ``layer``, and directories that have nothing else in them."""
    todo = [top]
    for directory in todo:
        todo += (node for node in directory.values() if isinstance(node, Directory))
    for directory in reversed(todo):
        for name, node in list(directory.items()):
            if node.layer < layer and not (isinstance(node, Directory) and node):
                del directory[name]
