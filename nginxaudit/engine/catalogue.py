"""All rules: read from the index that ships with the pages, never from 300 pages at every start."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from nginxaudit.engine.pages import PageError, parse_page
from nginxaudit.engine.rule import Option, Rule
from nginxaudit.finding import Confidence, Severity

_PACKAGE = Path(__file__).resolve().parent.parent
INDEX_NAME = ".index.json"
_FORMAT = 1  # raise when the index's form changes


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

    def with_pages(self, directories: Iterable[str]) -> Catalogue:
        """This catalogue and the users' own pages below ``directories``: declarative checks only."""
        own: list[Rule] = []
        for directory in directories:
            if not os.path.isdir(directory):
                raise PageError(f"{directory}: no such directory of rule pages")
            for path in sorted(Path(directory).rglob("*.md")):
                if path.name.lower() == "readme.md":
                    continue
                rule = parse_page(path).rule
                if "python" in rule.check:
                    raise PageError(f"{path}: rules from outside may not name Python code")
                own.append(rule)
        return Catalogue([*self.rules, *own]) if own else self


@cache
def builtin() -> Catalogue:
    """The rules that come with nginxaudit."""
    packaged = _PACKAGE / "_rules"
    if packaged.is_dir():
        return Catalogue(_from_index(packaged, json.loads((packaged / INDEX_NAME).read_bytes())))
    return Catalogue(_from_checkout(_PACKAGE.parent / "rules"))


def compile_index(directory: Path) -> dict[str, Any]:
    """The index of the pages below ``directory``: their front matter as JSON."""
    pages = _page_files(directory)
    rules = [parse_page(Path(path)).rule for path, _ in pages]
    return {"format": _FORMAT, "stamp": _stamp(pages), "rules": [_to_row(rule, directory) for rule in rules]}


def _from_checkout(directory: Path) -> list[Rule]:
    """Rules of an editable install: the index is kept beside the pages and follows their times."""
    index_file = directory / INDEX_NAME
    stamp = _stamp(_page_files(directory))
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        index = json.loads(index_file.read_bytes())
        if index["stamp"] == stamp and index["format"] == _FORMAT:
            return _from_index(directory, index)
    index = compile_index(directory)
    with contextlib.suppress(OSError):  # a read-only checkout is slower, not broken
        temporary = index_file.with_name(f"{INDEX_NAME}.{os.getpid()}")
        temporary.write_text(json.dumps(index), encoding="utf-8")
        temporary.replace(index_file)
    return _from_index(directory, index)


def _page_files(directory: Path) -> list[tuple[str, int]]:
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
    import hashlib

    return hashlib.sha256(repr(pages).encode()).hexdigest()


def _to_row(rule: Rule, directory: Path) -> dict[str, Any]:
    row = asdict(rule)
    row["severity"], row["confidence"] = rule.severity.label, rule.confidence.label
    row["path"] = str(Path(rule.path).relative_to(directory))
    return row


def _from_index(directory: Path, index: dict[str, Any]) -> list[Rule]:
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
