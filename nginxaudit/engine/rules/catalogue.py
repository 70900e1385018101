"""All rules: read from the index that ships with the pages, never from 300 pages at every start."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from msgspec import DecodeError, Struct, json
from msgspec.structs import replace

from nginxaudit.engine.rules.places import PACKAGED, pages_directory
from nginxaudit.engine.rules.rule import PageError, Rule
from nginxaudit.suggest import did_you_mean

if TYPE_CHECKING:
    from nginxaudit.engine.settings.record import Settings

# What only the reading of pages needs (pages, pathlib, hashlib) is imported there: a start reads the index.
INDEX_NAME = ".index.json"
_FORMAT = 6  # raise when the index's form changes
ALL = "ALL"


class Catalogue:
    """Rules by slug and id, in the order of their ids."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.id))
        self._by_name: dict[str, Rule] = {}
        for rule in self.rules:
            for name in (rule.slug, rule.id):
                if name in self._by_name:
                    raise PageError(f"{rule.path}: {name} is taken by {self._by_name[name].path}")
                self._by_name[name] = rule
        self._groups: dict[str, frozenset[str]] | None = None

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def get(self, name: str) -> Rule | None:
        """Rule called ``name`` (slug or id, any case), or None."""
        return self._by_name.get(name) or self._by_name.get(name.upper()) or self._by_name.get(name.lower())

    @property
    def names(self) -> tuple[str, ...]:
        """Slugs and ids."""
        return tuple(self._by_name)

    @property
    def groups(self) -> dict[str, frozenset[str]]:
        """Slugs of the rules of each category and each tag, and of all."""
        if self._groups is None:
            found: dict[str, set[str]] = {ALL: set()}
            for rule in self.rules:
                for name in groups_of(rule):
                    found.setdefault(name, set()).add(rule.slug)
            self._groups = {name: frozenset(slugs) for name, slugs in found.items()}
        return self._groups

    def meaning(self, name: str) -> frozenset[str]:
        """Slugs of the rules that ``name`` means: a slug, an id, a category, a tag, a standard or ALL; empty if it means none."""
        rule = self.get(name)
        if rule is not None:
            return frozenset((rule.slug,))
        return self.groups.get(name, frozenset()) | self._of_standard(name)

    def _of_standard(self, name: str) -> frozenset[str]:
        """Slugs of the rules of the standard ``name``. The file of standards is not read for categories."""
        if name == ALL or any(rule.category == name for rule in self.rules):
            return frozenset()
        from nginxaudit.engine.rules.standards import names

        standard = names().get(name)
        return frozenset() if standard is None else standard.rules & self._by_name.keys()

    def like(self, name: str) -> str:
        """The name that ``name`` may be meant to be, to append to a message."""
        from nginxaudit.engine.rules.standards import names

        return did_you_mean(name, [*self.names, *sorted(self.groups), *names()])


def groups_of(rule: Rule) -> tuple[str, ...]:
    """Names under which ``rule`` is meant together with others."""
    return (ALL, rule.category, *rule.tags)


@cache
def builtin() -> Catalogue:
    """The rules that come with nginxaudit."""
    directory = pages_directory()
    if directory == PACKAGED:
        return Catalogue(_read_index(directory).rules)
    return Catalogue(_from_checkout(directory))


class _Index(Struct, frozen=True):
    """The rules of all pages, with paths relative to their directory."""

    format: int
    stamp: str
    rules: tuple[Rule, ...]


def catalogue_of(settings: Settings) -> Catalogue:
    """The rules that come with nginxaudit, and those of the user's own pages. Raises `PageError`."""
    if not settings.rules:
        return builtin()
    from nginxaudit.engine.rules.own import own_rules

    return Catalogue([*builtin(), *own_rules(settings.rules, settings.home_of)])


def compile_index(directory: str) -> bytes:
    """The index of the pages below ``directory``: their front matter as JSON."""
    return json.encode(_compiled(directory))


def _compiled(directory: str) -> _Index:
    from pathlib import Path

    from nginxaudit.engine.rules.pages import parse_page

    pages = _page_files(directory)
    rules = [parse_page(Path(path)).rule for path, _ in pages]
    relative = (replace(rule, path=os.path.relpath(rule.path, directory)) for rule in rules)
    return _Index(_FORMAT, _stamp(pages), tuple(relative))


def _read_index(directory: str) -> _Index:
    with open(os.path.join(directory, INDEX_NAME), "rb") as file:
        return json.decode(file.read(), type=_Index)


def _from_checkout(directory: str) -> tuple[Rule, ...]:
    """Rules of an editable install: the index is kept beside the pages and follows their times."""
    stamp = _stamp(_page_files(directory))
    with contextlib.suppress(OSError, DecodeError):
        index = _read_index(directory)
        if index.stamp == stamp and index.format == _FORMAT:
            return index.rules
    index = _compiled(directory)
    from nginxaudit.source.directory import WriteError
    from nginxaudit.source.replace import open_target

    with (
        contextlib.suppress(OSError, WriteError),  # a read-only checkout is slower, not broken
        open_target(os.path.join(directory, INDEX_NAME)) as target,
    ):
        target.file.write(json.encode(index))
        target.commit()
    return index.rules


def _page_files(directory: str) -> list[tuple[str, int]]:
    """Pages below ``directory`` with their modification times in nanoseconds."""
    pages = []
    for category in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if category.is_dir() and not category.name.startswith("."):
            pages += [
                (entry.path, entry.stat().st_mtime_ns)
                for entry in os.scandir(category.path)
                if entry.name.endswith(".md")
            ]
    return sorted(pages)


def _stamp(pages: list[tuple[str, int]]) -> str:
    import zlib

    return (
        f"{len(pages)}-{zlib.crc32(repr(pages).encode()):08x}-{max((time for _, time in pages), default=0)}"
    )
