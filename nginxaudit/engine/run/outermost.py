"""Which of the files that were found are included by none of the others: only these are configurations of their own.

Nothing is expanded here, which would cost as much as there are contexts: every file is looked at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nginxaudit.source.globbing import is_pattern
from nginxaudit.source.read import ReadError
from nginxaudit.source.root import Root
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.includes import ParseCache
from nginxaudit.syntax.tree import Statement


def outermost(roots: Sequence[Root], cache: ParseCache) -> list[Root]:
    """``roots`` without those that others include; of files that include each other the first one stays."""
    included = _Included(roots, cache)
    for root in roots:
        if root.source.real not in included.reached:
            included.follow(root)
    return [root for root in roots if root.source.real in included.kept]


class _Included:
    """What the roots followed so far reach. ``kept`` are those of them that no other one reaches."""

    def __init__(self, roots: Sequence[Root], cache: ParseCache) -> None:
        self._cache = cache
        self.reached: set[str] = set()
        self.kept: set[str] = set()

    def follow(self, root: Root) -> None:
        """Take in what ``root`` includes. What another root has reached is not looked into again."""
        own = root.source.real
        self.kept.add(own)
        todo = [root.source]
        while todo:
            for source in self._directly(root, todo.pop()):
                if source.real == own:
                    continue
                self.kept.discard(source.real)
                if source.real not in self.reached:
                    self.reached.add(source.real)
                    todo.append(source)

    def _directly(self, root: Root, source: SourceText) -> list[SourceText]:
        found: dict[str, SourceText] = {}
        for argument in dict.fromkeys(_includes(self._cache.get(source).statements)):
            path = root.files.resolve(argument)
            try:
                paths = root.files.expand(path) if is_pattern(path) else [path]
            except ReadError:
                continue  # it is reported where the include is expanded
            for each in paths:
                if each not in found and not self._cache.full:
                    try:
                        found[each] = root.files.read(each)
                    except ReadError:
                        continue
        return list(found.values())


def _includes(statements: list[Statement]) -> Iterator[str]:
    """Arguments of the includes in a file, in any block."""
    todo = [statements]
    while todo:
        for statement in todo.pop():
            if statement.block is not None:
                todo.append(statement.block)
            elif statement.name == "include" and len(statement.args) == 1:
                yield statement.args[0]
