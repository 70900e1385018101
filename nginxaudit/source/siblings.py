"""Texts of one manifest that may include each other, by the names of their keys."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import TypeAlias

from msgspec import Struct, field

from nginxaudit.source.embedded import EmbeddedText
from nginxaudit.source.globbing import is_pattern, name_matches
from nginxaudit.source.limits import DEFAULTS, Limits, raised
from nginxaudit.source.read import ReadError, Unreadable
from nginxaudit.source.root import has_main_block
from nginxaudit.source.text import SourceText
from nginxaudit.templates import SUFFIXES

_INCLUDE = re.compile(r"^[^#\n]*?\binclude\s+[\"']?([^\s;\"'*?\[{]+)[\"']?\s*;", re.MULTILINE)

_SERVER = re.compile(
    r"^[ \t]*+(?:server[ \t]*+|upstream[ \t]++[\w.-]++[ \t]*+|location[ \t][^\n;{}\"]{1,200})\{[ \t]*+(?:#[^\n]*+)?\r?$"
    r"(?=[^}]{0,2000};)",
    re.MULTILINE,
)

_LOOKED_AT = 200  # keys that globs may look at, for each file that may be read


class Holder(Struct):
    """A ConfigMap or Secret: its texts by key."""

    label: str
    texts: dict[str, EmbeddedText] = field(default_factory=dict)

    def mains(self) -> Iterator[EmbeddedText]:
        """Texts that nginx could be started with."""
        return (text for text in self.texts.values() if has_main_block(text.text))

    def fragments(self) -> Iterator[EmbeddedText]:
        """Texts that are a part of a configuration."""
        for key, text in self.texts.items():
            if is_configuration(key, text.text) and not has_main_block(text.text):
                yield text


_Key: TypeAlias = "tuple[int, Holder, str, EmbeddedText]"  # place in the manifest, object, name, text


class Keys:
    """All keys of a manifest, found by their names without looking at each of them again."""

    def __init__(self, holders: Iterable[Holder], limits: Limits = DEFAULTS) -> None:
        self._limits = limits
        self._left = _LOOKED_AT * limits.max_files
        self._texts: dict[str, list[_Key]] = {}
        self._by_holder: dict[int, list[_Key]] = {}
        self._count = 0
        for holder in holders:
            for key, text in holder.texts.items():
                entry = (self._count, holder, key, text)
                self._texts.setdefault(key, []).append(entry)
                self._by_holder.setdefault(id(holder), []).append(entry)
                self._count += 1
        self._matching: dict[str, list[_Key]] = {}
        self._included: dict[str, set[str]] | None = None

    def named(self, name: str) -> list[_Key]:
        """Keys of this name, in order."""
        return self._texts.get(name, [])

    def matching(self, pattern: str) -> list[_Key]:
        """Keys that a glob without slashes matches, in order. Raises `ReadError` where too many were looked at."""
        found = self._matching.get(pattern)
        if found is None:
            self.look_at(len(self._texts))
            names = [name for name in self._texts if name_matches(name, pattern)]
            found = sorted((each for name in names for each in self._texts[name]), key=lambda each: each[0])
            self._matching[pattern] = found
        return found

    def look_at(self, count: int) -> None:
        """Raise `ReadError` where the globs of the manifest have looked at too many keys."""
        self._left -= count
        if self._left < 0:
            raise ReadError(
                Unreadable.LIMIT,
                "the globs of the manifest have to look at too many keys",
                f"Scan its parts, {raised('max_files')}.",
            )

    def of(self, holder: Holder) -> list[_Key]:
        """Keys of one object, in order."""
        return self._by_holder.get(id(holder), [])

    def included_from(self, key: str) -> set[str] | None:
        """Directories from which texts include ``key`` by its name."""
        if self._included is None:
            self._included = {}
            for text in (each[3] for keys in self._texts.values() for each in keys):
                for match in _INCLUDE.finditer(text.text):
                    directory, name = posixpath.split(match[1])
                    self._included.setdefault(name, set()).add(directory)
        return self._included.get(key)


class Siblings:
    """The keys that a text may include: of its own object, else of the others of the manifest.

    A glob takes what is called like a configuration and is not included by its name from another directory.
    Several globs may name directories that are mounted from other objects: a key is taken by the first that
    asks for it.
    """

    installed = False

    def __init__(self, own: Holder | None, keys: Keys, main: EmbeddedText | None = None) -> None:
        self._own = own
        self._keys = keys
        self._main = main
        self._taken: dict[str, str] = {}  # path of a text -> the glob that took it
        self._matched: dict[str, EmbeddedText] = {}  # name that a glob gave -> its text

    def resolve(self, argument: str) -> str:
        """Where it is installed says nothing: the argument itself."""
        return argument

    def system(self) -> None:
        """A manifest has the configuration alone."""

    def expand(self, pattern: str) -> list[str]:
        """Names that stand for the keys matching the last part of ``pattern``."""
        directory, last = posixpath.split(pattern)
        if not is_pattern(last) or "modules" in directory:  # of the image, not of a ConfigMap
            raise _absent()
        matching = self._keys.matching(last)
        own = (
            []
            if self._own is None
            else [each for each in self._keys.of(self._own) if name_matches(each[2], last)]
        )
        for _, group in groupby(chain(own, matching), key=lambda each: id(each[1])):
            keys = list(group)
            self._keys.look_at(len(keys))
            found = {
                f"{directory}/{key}" if directory else key: text
                for _, _, key, text in keys
                if self._fits(key, text, pattern)
            }
            if found:
                self._matched.update(found)
                return sorted(found)
        raise _absent()

    def read(self, path: str) -> SourceText:
        """The key called like the file."""
        if path in self._matched:
            return self._matched[path]
        name = posixpath.basename(path)
        if self._own is not None and name in self._own.texts:
            return self._own.texts[name]
        for _, _, _, text in self._keys.named(name):
            return text
        raise _absent()

    def _fits(self, key: str, text: EmbeddedText, pattern: str) -> bool:
        if text is self._main or has_main_block(text.text):
            return False
        directories = self._keys.included_from(key)
        if directories and posixpath.dirname(pattern) not in directories:
            return False
        return is_configuration(key, text.text) and self._taken.setdefault(text.path, pattern) == pattern


def is_configuration(key: str, text: str) -> bool:
    """Whether a key holds a configuration, by its name or by what is in it."""
    if key.endswith(".conf") or has_main_block(text):
        return True
    return not key.endswith(SUFFIXES) and _SERVER.search(text) is not None


def _absent() -> ReadError:
    return ReadError(
        Unreadable.OUTSIDE, "it is not in the manifest", "Scan the manifest that contains it as well."
    )
