"""Which nginx is installed where a configuration was found: what the package database beside it says.

dpkg and apk write text, rpm an SQLite database (Fedora, RHEL 9 and newer) or its own formats, which are not read. Nothing is
run, and nothing is read but the files that are named here.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator

from msgspec import Struct

from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.version import FORKS
from nginxaudit.source.read import ReadError

Read = Callable[[str], bytes | None]
"""Bytes of the file of an absolute path of the system; None where there is none."""

DPKG = ("/var/lib/dpkg/status",)
APK = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
RPM = ("/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite")
RPM_UNREAD = (
    "/usr/lib/sysimage/rpm/Packages.db", "/var/lib/rpm/Packages.db",  # ndb: openSUSE
    "/var/lib/rpm/Packages",  # Berkeley DB: RHEL 8 and older
)  # fmt: skip
DATABASES = (*DPKG, *APK, *RPM, *RPM_UNREAD)
LARGEST = 256 << 20
"""Bytes of a database: that of a full desktop has 100 MiB."""

_NGINX = (
    "nginx",
    "nginx-core",
    "nginx-full",
    "nginx-light",
    "nginx-extras",
    "nginx-mainline",
    "nginx-plus",
    "freenginx",
    "tengine",
)
_PACKAGES = {
    "/etc/nginx": _NGINX,
    "/etc/angie": ("angie",),
    "/etc/freenginx": ("freenginx",),
    "/etc/tengine": ("tengine",),
    "/etc/openresty": ("openresty",),
    "/usr/local/openresty/nginx/conf": ("openresty",),
}
"""Packages whose nginx reads its configuration in a directory."""


class Installed(Struct, frozen=True):
    """A package with an nginx: its name and version, and the database that has it."""

    package: str
    version: str
    database: str

    @property
    def nginx_version(self) -> str | None:
        """The version of nginx, or of a fork, as numbers; None for a package whose versions are not known (NGINX Plus)."""
        match = compiled(r"(?:\d+:)?v?(\d+(?:\.\d+){2,3})").match(self.version)
        return match[1] if match else None

    @property
    def edition(self) -> str:
        """``oss``, or the fork that it is."""
        return self.package if self.package in FORKS else "oss"

    @property
    def is_vendors(self) -> bool:
        """Whether a distribution made it, which puts fixes into old versions; nginx.org calls its own 1.27.3-1~bookworm."""
        return compiled(r".*-\d+~[a-z]+").fullmatch(self.version) is None

    @property
    def label(self) -> str:
        """For messages."""
        return f"{self.package} {self.version}"


class Unread(Struct, frozen=True):
    """A database that is there and that is not read, with the reason."""

    database: str
    reason: str


def system_of(main_dir: str) -> tuple[str, str] | None:
    """Top directory of the system in which ``main_dir`` is where a package has it, and that place; None for other places."""
    normal = posixpath.normpath(main_dir)
    for prefix in _PACKAGES:
        if f"/{normal.lstrip('/')}".endswith(prefix):
            return normal[: max(len(normal) - len(prefix), 0)], prefix
    return None


def installed_nginx(prefix: str, read: Read) -> Installed | Unread | None:
    """The package whose nginx has its configuration in ``prefix``; None where no database knows one."""
    names = _PACKAGES[prefix]
    for database, find in ((DPKG, _of_dpkg), (APK, _of_apk), (RPM, _of_rpm)):
        for path in database:
            data = _bytes(read, path)
            if isinstance(data, Unread):
                return data
            if data is None:
                continue
            try:
                found = dict(find(data, names))
            except _DamagedError as error:
                return Unread(path, str(error))
            chosen = next((name for name in names if name in found), None)
            if chosen is not None:
                return Installed(chosen, found[chosen], path)
    for path in RPM_UNREAD:
        if _bytes(read, path) is not None:
            return Unread(path, "this format of the rpm database is not read")
    return None


def _bytes(read: Read, path: str) -> bytes | Unread | None:
    try:
        return read(path)
    except ReadError as error:
        return Unread(path, str(error))


class _DamagedError(Exception):
    """A database that is none."""


def _of_dpkg(data: bytes, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """``Package: nginx``, ``Status: install ok installed``, ``Version: 1.22.1-9``; a paragraph a package."""
    for name in names:
        for paragraph in _paragraphs(data, f"Package: {name}"):
            fields = dict(
                line.split(": ", 1) for line in paragraph if line.startswith(("Status: ", "Version: "))
            )
            if fields.get("Status", "").endswith(" installed") and "Version" in fields:
                yield name, _printable(fields["Version"])


def _of_apk(data: bytes, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """``P:nginx`` and ``V:1.26.3-r0``; a paragraph a package."""
    for name in names:
        for paragraph in _paragraphs(data, f"P:{name}"):
            yield from ((name, _printable(line[2:])) for line in paragraph if line.startswith("V:"))


def _paragraphs(data: bytes, line: str) -> Iterator[list[str]]:
    """The lines of each paragraph that has ``line``."""
    text, wanted = b"\n\n" + data + b"\n\n", f"\n{line}\n".encode()
    at = text.find(wanted)
    while at >= 0:
        end = text.index(b"\n\n", at)
        yield text[text.rindex(b"\n\n", 0, at + 1) : end].decode("utf-8", "replace").splitlines()
        at = text.find(wanted, end)


def _of_rpm(data: bytes, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Headers of packages in an SQLite database, which is read in memory: nothing beside it is opened."""
    import sqlite3
    from contextlib import closing

    if not data.startswith(b"SQLite format 3\0"):
        raise _DamagedError("it is not a SQLite database")
    # rpm uses a write-ahead log, which a database in memory has not: what is in the file is what counts.
    data = data[:18] + b"\1\1" + data[20:]
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(data)
            marks = ",".join("?" * len(names))
            rows = connection.execute(
                f"SELECT blob FROM Packages WHERE hnum IN (SELECT hnum FROM Name WHERE key IN ({marks}))",
                names,
            )
            for (blob,) in rows.fetchmany(20):
                name, version, release = (_tag(blob, tag) for tag in (_NAME, _VERSION, _RELEASE))
                if name in names and version:
                    yield name, f"{version}-{release}" if release else version
    except sqlite3.Error as error:
        raise _DamagedError(f"it cannot be read: {error}") from None


_NAME, _VERSION, _RELEASE = 1000, 1001, 1002
_STRING = 6
_MOST_TAGS = 10_000


def _tag(header: object, wanted: int) -> str:
    """A string of the header of a package: an index of tags, each with an offset into what follows."""
    if not isinstance(header, bytes) or len(header) < 8:
        return ""
    count = min(int.from_bytes(header[:4], "big"), _MOST_TAGS)
    strings = 8 + 16 * count
    for at in range(8, strings, 16):
        tag, kind, offset = (int.from_bytes(header[at + step : at + step + 4], "big") for step in (0, 4, 8))
        if tag == wanted and kind == _STRING:
            start = strings + offset
            end = header.find(b"\0", start)
            return _text(header[start:end]) if 0 <= start <= end else ""
    return ""


def _text(data: bytes) -> str:
    return _printable(data[:100].decode("ascii", "replace"))


def _printable(text: str) -> str:
    """A word of a database, which anything may have written: printable, and not long."""
    return "".join(filter(str.isprintable, text[:100])).strip()
