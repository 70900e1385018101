"""Files of a git revision, read without checking them out.

Only commands that print objects are run (``rev-parse``, ``merge-base``, ``ls-tree``, ``cat-file``): none of them runs a filter, a hook or a
program that a repository names. What they print is as untrusted as any other input.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator

from msgspec import Struct

from nginxaudit.source.kinds import is_skipped
from nginxaudit.source.limits import Limits
from nginxaudit.source.read import ReadError, Unreadable

_MOST = 1 << 28  # bytes of all files
_MOST_LISTED = 1 << 26  # bytes of the list of files
_SECONDS = 60
_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LINK, _PLAIN = ("120000",), ("100644", "100755", "100664")
_ALONE = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


class Range(Struct, frozen=True):
    """Two revisions as they were written; ``new`` is None for the working tree, ``forked``: from where they parted."""

    old: str
    new: str | None
    forked: bool = False


class _Blob(Struct, frozen=True):
    mode: str
    name: str
    size: int
    path: bytes


def parse_range(text: str) -> Range:
    """``REV``, ``REV..REV`` or ``REV...REV``, as git reads them. Raises `ReadError`."""
    for dots in ("...", ".."):
        old, found, new = text.partition(dots)
        if found:
            return Range(old or "HEAD", new or "HEAD", dots == "...")
    return Range(text, None)


def archive(revision: str, path: str, limits: Limits, *, parted_from: str | None = None) -> io.BytesIO:
    """The files below the directory ``path`` in a revision, as an archive; ``parted_from``: where the two parted. Raises `ReadError`."""
    directory = path or "."
    commit = _commit(directory, revision)
    if parted_from is not None:
        found = _text(directory, "merge-base", commit, _commit(directory, parted_from)).strip()
        if not _OBJECT.fullmatch(found):
            raise ReadError(Unreadable.REFUSED, f"{revision} and {parted_from} have no common commit")
        commit = found
    prefix = _text(directory, "rev-parse", "--show-prefix").rstrip("\n")
    tree = f"{commit}:{prefix.rstrip('/')}"
    try:
        listing = _run(directory, "ls-tree", "-r", "-z", "-l", "--full-tree", tree)
    except ReadError:
        listing = b""
    blobs = list(_wanted(listing, limits))
    if not blobs:
        raise ReadError(Unreadable.MISSING, f"there is no {path} in {revision}")
    return _packed(directory, blobs)


def _wanted(listing: bytes, limits: Limits) -> Iterator[_Blob]:
    """Files and links of a list of ``ls-tree`` that can be configuration; what is too large stays out and is missed where it is included."""
    total = 0
    lines = listing.split(b"\0")[:-1]
    for line in lines:
        head, _, path = line.partition(b"\t")
        mode, kind, name, size = head.decode("ascii", "replace").split()
        parts = os.fsdecode(path).split("/")
        if kind != "blob" or mode not in (*_LINK, *_PLAIN) or any(map(is_skipped, parts[:-1])):
            continue
        if ".." in parts or not all(parts) or not _OBJECT.fullmatch(name) or not size.isdigit():
            raise ReadError(Unreadable.REFUSED, "git lists a file without a name or a size")
        if int(size) > limits.max_file_size:
            continue
        total += int(size)
        if total > _MOST:
            raise ReadError(
                Unreadable.LIMIT, f"its files are larger than {_MOST >> 20} MiB", "Name a directory."
            )
        yield _Blob(mode, name, int(size), path)


def _packed(directory: str, blobs: list[_Blob]) -> io.BytesIO:
    names = "".join(f"{blob.name}\n" for blob in blobs).encode()
    output = io.BytesIO(_run(directory, "cat-file", "--batch", feed=names, most=_MOST + 128 * len(blobs)))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for blob in blobs:
            head = output.readline().split()
            data = output.read(blob.size)
            if head != [blob.name.encode(), b"blob", str(blob.size).encode()] or output.read(1) != b"\n":
                raise ReadError(Unreadable.REFUSED, "git gives another object than it listed")
            info = tarfile.TarInfo(os.fsdecode(blob.path))
            if blob.mode in _LINK:
                info.type, info.linkname = tarfile.SYMTYPE, os.fsdecode(data)
                tar.addfile(info)
            else:
                info.size = blob.size
                tar.addfile(info, io.BytesIO(data))
    packed.seek(0)
    return packed


def _commit(directory: str, revision: str) -> str:
    if revision.startswith("-") or "\0" in revision or ":" in revision or not revision.strip():
        raise ReadError(Unreadable.MISSING, f'"{revision}" is not a revision')
    try:
        found = _text(directory, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    except ReadError as error:
        if error.kind is not Unreadable.REFUSED:
            raise
        found = ""
    if not _OBJECT.fullmatch(found):
        raise ReadError(
            Unreadable.MISSING,
            f'"{revision}" is not a commit of this repository',
            "Fetch it: git fetch origin.",
        )
    return found


def _text(directory: str, *words: str) -> str:
    return os.fsdecode(_run(directory, *words, most=1 << 16))


def _run(directory: str, *words: str, feed: bytes = b"", most: int = _MOST_LISTED) -> bytes:
    """What a command of git prints, bounded in size and time."""
    environment = {**os.environ, **_ALONE}
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", directory, *words]
    try:
        done = subprocess.run(command, input=feed, capture_output=True, env=environment, timeout=_SECONDS)
    except FileNotFoundError:
        raise ReadError(Unreadable.MISSING, "git is not installed") from None
    except subprocess.TimeoutExpired:
        raise ReadError(Unreadable.LIMIT, f"git takes longer than {_SECONDS} seconds") from None
    except (OSError, ValueError) as error:
        raise ReadError(Unreadable.REFUSED, f"git could not be run: {error}") from None
    if done.returncode:
        last = os.fsdecode(done.stderr).strip().splitlines()[:1]
        raise ReadError(
            Unreadable.REFUSED, last[0] if last else "git failed", "Run it inside of a git repository."
        )
    if len(done.stdout) > most:
        raise ReadError(Unreadable.LIMIT, "git prints more than is read", "Name a directory.")
    return done.stdout
