"""All rules: read from the index that ships with the pages, never from 300 pages at every start."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from msgspec import to_builtins

from nginxaudit.engine.rule import Option, PageError, Rule
from nginxaudit.finding import Confidence, Severity

# What only the reading of pages needs (pages, pathlib, hashlib) is imported there: a start reads the index.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_PACKAGED = os.path.join(_PACKAGE, "_rules")
INDEX_NAME = ".index.json"
_FORMAT = 2  # raise when the index's form changes


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

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def get(self, name: str) -> Rule | None:
        """Rule called ``name`` (slug or id, any case), or None."""
        return self._by_name.get(name) or self._by_name.get(name.upper()) or self._by_name.get(name.lower())

    @property
    def names(self) -> tuple[str, ...]:
        """Slugs and ids."""
        return tuple(self._by_name)

    def with_pages(self, directories: Sequence[str]) -> Catalogue:
        """This catalogue and the users' own pages below ``directories``: declarative checks only."""
        own: list[Rule] = []
        if directories:
            from pathlib import Path

            from nginxaudit.engine.pages import parse_page
            from nginxaudit.source.write import is_below
        for directory in directories:
            if not os.path.isdir(directory):
                raise PageError(f"{directory}: no such directory of rule pages")
            for path in sorted(Path(directory).rglob("*.md")):
                if path.name.lower() == "readme.md":
                    continue
                if not is_below(os.path.realpath(path), [os.path.realpath(directory)]):
                    raise PageError(f"{path}: it is a link that leads out of the directory of rule pages")
                rule = parse_page(path).rule
                if "python" in rule.check or "python" in rule.repair:
                    raise PageError(f"{path}: rules from outside may not name Python code")
                own.append(rule)
        return Catalogue([*self.rules, *own]) if own else self


def pages_directory() -> str:
    """Where the pages are: inside the package once it is installed, beside it in a checkout."""
    return _PACKAGED if os.path.isdir(_PACKAGED) else os.path.join(os.path.dirname(_PACKAGE), "rules")


@cache
def builtin() -> Catalogue:
    """The rules that come with nginxaudit."""
    directory = pages_directory()
    if directory == _PACKAGED:
        return Catalogue(_from_index(directory, _read_json(os.path.join(directory, INDEX_NAME))))
    return Catalogue(_from_checkout(directory))


def compile_index(directory: str) -> dict[str, Any]:
    """The index of the pages below ``directory``: their front matter as JSON."""
    from pathlib import Path

    from nginxaudit.engine.pages import parse_page

    pages = _page_files(directory)
    rules = [parse_page(Path(path)).rule for path, _ in pages]
    return {"format": _FORMAT, "stamp": _stamp(pages), "rules": [_to_row(rule, directory) for rule in rules]}


def _read_json(path: str) -> Any:
    with open(path, "rb") as file:
        return json.loads(file.read())


def _from_checkout(directory: str) -> list[Rule]:
    """Rules of an editable install: the index is kept beside the pages and follows their times."""
    index_file = os.path.join(directory, INDEX_NAME)
    stamp = _stamp(_page_files(directory))
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        index = _read_json(index_file)
        if index["stamp"] == stamp and index["format"] == _FORMAT:
            return _from_index(directory, index)
    index = compile_index(directory)
    with contextlib.suppress(OSError):  # a read-only checkout is slower, not broken
        temporary = f"{index_file}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(json.dumps(index))
        os.replace(temporary, index_file)
    return _from_index(directory, index)


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


def _to_row(rule: Rule, directory: str) -> dict[str, Any]:
    row: dict[str, Any] = to_builtins(rule)
    row["severity"], row["confidence"] = rule.severity.label, rule.confidence.label
    row["path"] = os.path.relpath(rule.path, directory)
    return row


def _from_index(directory: str, index: dict[str, Any]) -> list[Rule]:
    rules = []
    for row in index["rules"]:
        row["severity"] = Severity[row["severity"].upper()]
        row["confidence"] = Confidence[row["confidence"].upper()]
        row["path"] = os.path.join(directory, row["path"])
        row["options"] = tuple(Option(**option) for option in row["options"])
        for name in ("tags", "cwe", "references", "proofs"):
            row[name] = tuple(row[name])
        rules.append(Rule(**row))
    return rules
