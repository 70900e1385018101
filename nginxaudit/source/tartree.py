"""The members of a tar archive as a tree: nothing of it is unpacked, its links lead nowhere but inside."""

from __future__ import annotations

import posixpath
import tarfile
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, cast

from msgspec import Struct

from nginxaudit.source.files import INSTALL_PREFIXES
from nginxaudit.source.limits import DEFAULTS, Limits
from nginxaudit.source.read import ReadError, Unreadable, decode, explain, require_small
from nginxaudit.source.text import SourceText

MAX_MEMBERS = 200_000
"""Of one archive: an image of a Linux distribution has 30,000 at most, with an application 100,000."""

MAX_LINKS = 40  # as many as Linux follows
_LONGEST = 4096  # bytes of a path, as on Linux
_DEEPEST = 100
_LARGEST_HEADER = 16 << 20
_SYSTEM = frozenset({"bin", "dev", "etc", "lib", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var"})
_SPECIAL = {
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)


class _Member(Struct, frozen=True):
    """``start`` and ``size`` of a file; ``target`` of a link; ``special`` says what else it is."""

    start: int = 0
    size: int = 0
    target: str | None = None
    hard: bool = False
    special: str = ""


class Archive:
    """The members of an archive by name.

    ``whole`` says that it is a file system and not a part of one: what is missing in it is missing. ``rooted``
    says that absolute paths are meant from its top.
    """

    def __init__(self, file: BinaryIO, display: str, real: str, limits: Limits = DEFAULTS) -> None:
        self.limits = limits
        self._file = file
        self._display = display
        self._real = real
        self._members: dict[str, _Member] = {}
        self._names: dict[str, set[str]] = {"": set()}  # directory -> what is in it
        self._refused: dict[str, str] = {}
        self._texts: dict[tuple[str, str], SourceText] = {}
        weakref.finalize(self, file.close)
        self._read_members()
        top = self._names[""]
        self.whole = "etc" in top and len(_SYSTEM & top) >= 5
        self.rooted = self.whole or any(self.is_directory(prefix[1:]) for prefix in INSTALL_PREFIXES)

    def is_directory(self, path: str) -> bool:
        """Whether there is a directory of exactly this name (no link)."""
        return path in self._names

    def names(self, directory: str) -> list[str]:
        """What is in a directory, sorted; nothing if it is none."""
        return sorted(self._names.get(directory, ()))

    def has(self, path: str) -> bool:
        """Whether something of this name is there, be it a link that leads nowhere."""
        return path in self._members or path in self._names or path in self._refused

    def files(self, directory: str) -> Iterator[str]:
        """Names of everything that is no directory below ``directory``, in order. Links are not followed."""
        prefix = f"{directory}/" if directory else ""
        yield from sorted(
            name for name in self._members if name.startswith(prefix) and name not in self._names
        )

    def is_plain(self, path: str) -> bool:
        """Whether the member of this name is a file itself: no link, no device."""
        member = self._members.get(path)
        return member is not None and member.target is None and not member.special

    def outside(self) -> ReadError:
        """What is said of a file that is not in the archive."""
        if self.whole:
            return ReadError(Unreadable.MISSING, "the archive does not contain it")
        return ReadError(Unreadable.OUTSIDE, "it is not in the archive", "Pack it, too.")

    def follow(self, path: str, main_dir: str, prefixes: Iterable[str]) -> str:
        """``path`` without links and dots. Raises `ReadError` where it leads out or in circles."""
        links = 0
        done: list[str] = []
        todo = deque(path.split("/"))
        while todo:
            part = todo.popleft()
            if part == "..":
                if not done:
                    raise ReadError(Unreadable.OUTSIDE, "the path leads out of the archive")
                done.pop()
                continue
            if part in ("", "."):
                continue
            done.append(part)
            member = self._members.get("/".join(done))
            if member is None or member.target is None:
                continue
            links += 1
            if links > MAX_LINKS:
                raise ReadError(Unreadable.REFUSED, "its links form a loop", "Point one of them at a file.")
            target = member.target
            done.pop()
            if member.hard:
                done = []
            elif target.startswith("/"):
                done = []
                inside = self.inside(target, main_dir, prefixes)
                if inside is None:
                    raise ReadError(
                        Unreadable.OUTSIDE,
                        f"it is a link to {target}, which is not in the archive",
                        "Pack its target, too.",
                    )
                target = inside
            todo.extendleft(reversed(target.split("/")))
        return "/".join(done)

    def inside(self, path: str, main_dir: str, prefixes: Iterable[str]) -> str | None:
        """Name in the archive of the absolute ``path``; None if the archive has no place for it."""
        if self.rooted:
            return path.lstrip("/")
        for prefix in prefixes:
            if path.startswith(prefix.rstrip("/") + "/"):
                return f"{main_dir}/{path[len(prefix.rstrip('/')) + 1 :]}".lstrip("/")
        return None

    def text(self, path: str, shown: str) -> SourceText:
        """Text of the file ``path`` (as `follow` gives it), shown as ``shown``; read once. Raises `ReadError`."""
        text = self._texts.get((path, shown))
        if text is None:
            text = self._texts[path, shown] = self._read_text(path, shown)
        return text

    def _read_text(self, path: str, shown: str) -> SourceText:
        member = self._members.get(path)
        if path in self._names:
            raise ReadError(Unreadable.DIRECTORY, "it is a directory", "Include its files: DIRECTORY/*.conf")
        if member is None:
            if path in self._refused:
                raise ReadError(
                    Unreadable.REFUSED, f"{self._refused[path]}: it is not followed", "Pack it without -P."
                )
            if path != shown:
                raise ReadError(
                    Unreadable.MISSING, f"it is a link to {path}, which the archive does not contain"
                )
            raise ReadError(Unreadable.MISSING, "the archive does not contain it")
        if member.special:
            raise ReadError(Unreadable.REFUSED, f"it is {member.special}, not a regular file")
        require_small(member.size, self.limits.max_file_size)
        try:
            self._file.seek(member.start)
            data = self._file.read(member.size)
        except OSError as error:
            raise explain(error) from None
        if len(data) < member.size:
            raise ReadError(
                Unreadable.REFUSED, "the archive ends in the middle of it", "Make the archive anew."
            )
        return SourceText(f"{self._display}!{shown}", decode(data), f"archive:{self._real}!{path}")

    def hint(self) -> ReadError:
        """Why no configuration is in it."""
        names = set(self._names[""])
        if "manifest.json" in names and ({"blobs", "repositories", "oci-layout"} & names):
            return ReadError(
                Unreadable.REFUSED,
                "it is an image as docker save writes it, of layers that are archives themselves",
                "Export a container: docker export $(docker create IMAGE) > FILE",
            )
        reason = "the archive holds no nginx configuration (nginx.conf or *.conf)"
        if self._refused:
            name, why = next(iter(self._refused.items()))
            return ReadError(
                Unreadable.REFUSED,
                f"{reason} that may be followed; {len(self._refused):,} members are not: of {name}, {why}",
                "Pack it without -P.",
            )
        return ReadError(Unreadable.REFUSED, reason, "Pack the directory of nginx.conf.")

    # -- reading the headers

    def _read_members(self) -> None:
        count = 0
        try:
            with tarfile.open(
                fileobj=cast("Any", _Wary(self._file)), mode="r:", encoding="utf-8", errors="surrogateescape"
            ) as archive:
                while (info := archive.next()) is not None:
                    cast("Any", archive).members = []  # they are kept here, in less memory
                    count += 1
                    if count > MAX_MEMBERS:
                        raise _too_many()
                    self._take(info)
                self._file.seek(archive.offset)
                # tarfile takes a broken header for the end
                if self._file.read(tarfile.BLOCKSIZE).strip(b"\0"):
                    raise tarfile.ReadError("a broken header")
        except (tarfile.TarError, EOFError, ValueError, OverflowError, OSError):
            raise ReadError(
                Unreadable.REFUSED,
                f"the tar archive is damaged behind its member {count:,}",
                "Make or copy the archive anew.",
            ) from None

    def _take(self, info: tarfile.TarInfo) -> None:
        parts = [part for part in info.name[:_LONGEST].split("/") if part not in ("", ".")]
        name = "/".join(parts)
        if info.name.startswith("/"):
            self._refused.setdefault(name, f"its name {info.name[:_LONGEST]} is absolute")
        elif ".." in parts:
            plain = posixpath.normpath(name)
            self._refused.setdefault(plain, f'its name {name} contains ".."')
        elif len(info.name) >= _LONGEST or len(parts) > _DEEPEST:
            self._refused.setdefault(name, "its name is longer or deeper than systems allow")
        elif info.isdir():
            self._place(parts)
        elif parts:
            self._place(parts[:-1])
            self._names["/".join(parts[:-1])].add(parts[-1])
            self._members[name] = _member(info)

    def _place(self, parts: list[str]) -> None:
        """Put a directory and those above it in their places."""
        path = ""
        for part in parts:
            inside = self._names[path]
            path = f"{path}/{part}" if path else part
            if path not in self._names:
                if len(self._names) > MAX_MEMBERS:
                    raise _too_many()
                inside.add(part)
                self._names[path] = set()
                self._members.pop(path, None)


def _too_many() -> ReadError:
    return ReadError(
        Unreadable.REFUSED,
        f"the archive has more than {MAX_MEMBERS:,} members",
        "Pack the configuration alone: tar -czf FILE -C /etc/nginx .",
    )


def _member(info: tarfile.TarInfo) -> _Member:
    if len(info.linkname) > _LONGEST:
        return _Member(special="a link with an endless target")
    if info.issym() or info.islnk():
        return _Member(target=info.linkname, hard=info.islnk())
    if info.issparse() or info.type not in _PLAIN:
        return _Member(special=_SPECIAL.get(info.type, "a sparse file" if info.issparse() else "special"))
    return _Member(info.offset_data, info.size)


class _Wary:
    """The file under an archive; no header is as large as one that asks for all memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise tarfile.ReadError("a header of this size")
        return self._file.read(size)
