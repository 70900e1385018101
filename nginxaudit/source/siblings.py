"""Texts of one manifest that may include each other, by the names of their keys."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from nginxaudit.source.embedded import EmbeddedText
from nginxaudit.source.globbing import is_pattern, name_matches
from nginxaudit.source.read import ReadError, Unreadable
from nginxaudit.source.root import has_main_block
from nginxaudit.source.text import SourceText

_INCLUDE = re.compile(r"^[^#\n]*?\binclude\s+[\"']?([^\s;\"'*?\[{]+)[\"']?\s*;", re.MULTILINE)


@dataclass(slots=True)
class Holder:
    """A ConfigMap or Secret: its texts by key."""

    label: str
    texts: dict[str, EmbeddedText] = field(default_factory=dict)

    def mains(self) -> Iterator[EmbeddedText]:
        """Texts that nginx could be started with."""
        return (text for text in self.texts.values() if has_main_block(text.text))

    def fragments(self) -> Iterator[EmbeddedText]:
        """Texts that are a part of a configuration."""
        for key, text in self.texts.items():
            if key.endswith(".conf") and not has_main_block(text.text):
                yield text


class Siblings:
    """The keys that a text may include: of its own object, else of the others of the manifest.

    A glob takes what is called like a configuration and is not included by its name from another directory.
    Several globs may name directories that are mounted from other objects: a key is taken by the first that
    asks for it.
    """

    installed = False

    def __init__(
        self, own: Holder | None, others: tuple[Holder, ...], main: EmbeddedText | None = None
    ) -> None:
        self._groups = ([own] if own is not None else []) + list(others)
        self._main = main
        self._named: dict[str, set[str]] | None = None  # key -> directories from which it is included by name
        self._taken: dict[str, str] = {}  # path of a text -> the glob that took it
        self._matched: dict[str, EmbeddedText] = {}  # name that a glob gave -> its text

    def resolve(self, argument: str) -> str:
        """Where it is installed says nothing: the argument itself."""
        return argument

    def expand(self, pattern: str) -> list[str]:
        """Names that stand for the keys matching the last part of ``pattern``."""
        directory, last = posixpath.split(pattern)
        if not is_pattern(last) or "modules" in directory:  # of the image, not of a ConfigMap
            raise _absent()
        for group in self._groups:
            found = {
                f"{directory}/{key}" if directory else key: text
                for key, text in group.texts.items()
                if name_matches(key, last) and self._fits(key, text, pattern)
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
        for group in self._groups:
            text = group.texts.get(name)
            if text is not None:
                return text
        raise _absent()

    def _fits(self, key: str, text: EmbeddedText, pattern: str) -> bool:
        if text is self._main or has_main_block(text.text):
            return False
        directories = self._by_name().get(key)
        if directories and posixpath.dirname(pattern) not in directories:
            return False
        return is_configuration(key, text.text) and self._taken.setdefault(text.path, pattern) == pattern

    def _by_name(self) -> dict[str, set[str]]:
        if self._named is None:
            self._named = {}
            for text in (text for group in self._groups for text in group.texts.values()):
                for match in _INCLUDE.finditer(text.text):
                    directory, name = posixpath.split(match[1])
                    self._named.setdefault(name, set()).add(directory)
        return self._named


def is_configuration(key: str, text: str) -> bool:
    """Whether a key holds a configuration, by its name or by what is in it."""
    return key.endswith(".conf") or has_main_block(text)


def _absent() -> ReadError:
    return ReadError(Unreadable.OUTSIDE, "it is not in the manifest", "Scan the manifest that holds it, too.")
