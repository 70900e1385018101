"""What was asked for, as data: the texts to start from, and what could not be read."""

from __future__ import annotations

import re

from msgspec import Struct, field

from nginxaudit.source.files import Files
from nginxaudit.source.read import ReadError
from nginxaudit.source.text import SourceText

_MAIN_BLOCK = r"^[^\S\n]*+(?:events|http|stream|mail)[^\S\n]*+(?:\{|$)"
_SITE_DIRECTORIES = frozenset(
    {"sites-enabled", "sites-available"}
)  # Debian: names of sites, without an extension
_BACKUP = (
    r"~$|^#.*#$|\.(?:bak|backup|old|orig|save|saved|swp|swo|rej|dpkg-\w+|ucf-\w+|rpm(?:save|new|orig))"
    r"(?:[._-]?\d[\w.:-]*)?$"
)


YAML = (".yaml", ".yml")


class Root(Struct, frozen=True):
    """One text to start from and the files it may include.

    ``searched`` says that it was found in a directory rather than named: then it is a root only
    if no other root includes it. ``context`` is the path of blocks in which a fragment is known to stand
    (``http,server``; ``main`` for the top), None where that has to be found out. ``banner`` is what ``nginx -V`` has printed
    before it, if it has.
    """

    source: SourceText
    files: Files
    searched: bool = False
    context: str | None = None
    banner: str = ""


class Unread(Struct, frozen=True):
    """Something that was asked for and could not be read."""

    path: str
    error: ReadError


class Roots(Struct):
    """Everything behind the paths of one run.

    ``loose`` are configuration files of scanned directories that contain no main block: whoever
    is not included by a root is a fragment. ``notes`` say what was found and is not analysed, ``remarks`` how
    the input was read; both are sentences for people.
    """

    roots: list[Root] = field(default_factory=list)
    loose: list[Root] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.roots) + len(self.loose) + len(self.unread)

    def take(self, more: Roots) -> None:
        """Add what ``more`` holds."""
        self.roots += more.roots
        self.loose += more.loose
        self.unread += more.unread
        self.notes += more.notes
        self.remarks += more.remarks


def has_main_block(text: str) -> bool:
    """Whether a text looks like a main configuration: a block that stands nowhere else begins a line."""
    return re.search(_MAIN_BLOCK, text, re.MULTILINE) is not None


def is_configuration_name(directory: str, name: str) -> bool:
    """Whether a file called ``name`` in a directory called ``directory`` is meant to be a configuration, of some software."""
    if name.startswith(".") or is_backup_name(name):
        return False
    return name.endswith(".conf") or directory in _SITE_DIRECTORIES


def is_backup_name(name: str) -> bool:
    """Whether a file called ``name`` is a copy that an editor, a package manager or a person left beside the file in use."""
    return re.search(_BACKUP, name) is not None


def is_manifest_name(name: str) -> bool:
    """Whether a file called ``name`` may be a Kubernetes manifest."""
    return name.endswith((*YAML, ".json"))
