"""Paths to configurations: roots, the contexts in which they stand, and their trees with includes expanded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from typing import BinaryIO

from msgspec import Struct

from nginxaudit.engine.results.bounds import too_long
from nginxaudit.engine.run.clock import Clock
from nginxaudit.engine.run.context import Contexts
from nginxaudit.engine.settings import Settings, SettingsError
from nginxaudit.model import Model
from nginxaudit.source.files import Texts
from nginxaudit.source.root import Root, Roots, Unread
from nginxaudit.source.roots import ReadOptions, find_roots
from nginxaudit.syntax.fragments import context_of_path, declared_context, infer_contexts, is_main
from nginxaudit.syntax.includes import ParseCache, expand
from nginxaudit.syntax.parse import parse
from nginxaudit.syntax.tree import Config


class Work(Struct, frozen=True):
    """A root and what it may mean: one configuration, or a fragment in each of the contexts where it may stand.

    ``whole`` is False where it is read for the sake of a file that it includes.
    """

    root: Root
    models: tuple[Model, ...]
    whole: bool


class Reading:
    """Reads what ``paths`` name. ``overlay`` maps real paths to texts that are read in place of what is on disk;
    ``named`` says that the user named the paths.

    ``given`` are the real paths of files of which only they themselves are asked for; ``unread`` is what could
    not be read, ``notes`` say what was found and is not analysed, ``remarks`` how the input was read.
    """

    def __init__(
        self, settings: Settings, overlay: Mapping[str, str] | None, clock: Clock, *, named: bool
    ) -> None:
        self._settings = settings
        self._options = ReadOptions(
            settings.prefix,
            settings.allow_outside,
            settings.stdin_filename,
            Texts(overlay, settings.limits.max_file_size),
            settings.limits,
            named,
            settings.base,
        )
        self._cache = ParseCache(settings.limits, clock.timed("parse", parse))
        self._timing = partial(clock.phase, "model")
        self._context_only: set[str] = set()  # roots that are read for the sake of a file they include
        self.given: set[str] = set()
        self.unread: list[Unread] = []
        self.notes: list[str] = []
        self.remarks: list[str] = []

    @property
    def in_context(self) -> bool:
        """Whether some configuration is read only for the sake of a file that it includes."""
        return bool(self._context_only)

    def works(self, paths: list[str], stdin: BinaryIO | None) -> list[Work]:
        """What is to be analysed, in order."""
        roots = find_roots(paths, self._options, stdin)
        self._in_context(roots)
        self.unread, self.notes, self.remarks = roots.unread, roots.notes, roots.remarks
        reached: set[str] = set()
        found = [self._work(root, config) for root, config in self._independent(roots, reached)]
        return found + [self._work(root, None) for root in self._loose(roots, reached)]

    def _in_context(self, roots: Roots) -> None:
        """Put the configuration that includes it in the place of each given file that is a part of one."""
        contexts = Contexts(self._settings.entry, self._options, lambda root: self._expand(root, "main"))
        kept: list[Root] = []
        wholes: dict[str, Root] = {}
        for root in roots.roots:
            source = root.source
            if root.searched or not os.path.isabs(source.real):
                kept.append(root)
                continue
            whole = None if self._stands_alone(root) else contexts.of(source.path, source.real)
            if whole is not None:
                self.given.add(source.real)
                wholes.setdefault(whole[0].source.real, whole[0])
            else:
                if self._settings.changed:
                    self.given.add(source.real)
                    self._context_only.add(source.real)
                kept.append(root)
        named = {root.source.real for root in kept}
        self._context_only.update(real for real in wholes if real not in named)
        roots.roots = [*kept, *(root for real, root in wholes.items() if real not in named)]

    def _stands_alone(self, root: Root) -> bool:
        """Whether a file says itself where it stands: it is a main configuration, or declares its context."""
        if self._settings.context is not None:
            return True
        parsed = self._cache.get(root.source)
        return is_main(parsed.statements) or declared_context(parsed.comments) is not None

    def _independent(self, roots: Roots, reached: set[str]) -> Iterator[tuple[Root, Config | None]]:
        """Roots in order; one that was found by searching and that another one includes is none."""
        if not any(root.searched for root in roots.roots):
            yield from ((root, None) for root in roots.roots)
            return
        expanded = [(root, self._expand(root, "main")) for root in roots.roots]
        included = {
            source.real
            for _, config in expanded
            for source in config.sources.values()
            if source is not config.main
        }
        for root, config in expanded:
            if root.searched and root.source.real in included:
                continue
            reached.update(source.real for source in config.sources.values())
            yield root, config

    def _work(self, root: Root, config: Config | None) -> Work:
        contexts = self._contexts(root)
        fragment = not is_main(self._cache.get(root.source).statements) and not self._is_empty_main(root)
        if contexts != ["main"]:
            variants = [self._expand(root, context, fragment=True) for context in contexts]
        elif config is None or config.fragment != fragment:
            variants = [self._expand(root, "main", fragment=fragment)]
        else:
            variants = [config]
        whole = root.source.real not in self._context_only
        return Work(root, tuple(map(self._model, variants)), whole)

    def _is_empty_main(self, root: Root) -> bool:
        """An empty ``nginx.conf`` is what nginx is started with, and refuses."""
        empty = not self._cache.get(root.source).statements
        return empty and os.path.basename(root.source.path) == "nginx.conf"

    def _contexts(self, root: Root) -> list[str]:
        parsed = self._cache.get(root.source)
        path = declared_context(parsed.comments) or root.context or self._settings.context
        if path is None:
            return infer_contexts(parsed.statements)
        try:
            return [context_of_path(path)]
        except ValueError as error:
            raise SettingsError(f"{root.source.path}: context={path}: {error}") from None

    def _expand(self, root: Root, context: str, *, fragment: bool = False) -> Config:
        return expand(root.source, root.files, self._cache, context, fragment=fragment)

    def _model(self, config: Config) -> Model:
        settings = self._settings
        model = Model(config, settings.target, settings.topologies, settings.limits, self._timing)
        config.problems.extend(too_long(model))
        return model

    def _loose(self, roots: Roots, reached: set[str]) -> list[Root]:
        """Files of a scanned directory that no root includes: analysed when asked, or when alone."""
        fragments = [root for root in roots.loose if root.source.real not in reached]
        if self._settings.fragments or not roots.roots:
            return fragments
        if fragments:
            names = ", ".join(root.source.path for root in fragments[:5])
            more = f" and {len(fragments) - 5} more" if len(fragments) > 5 else ""
            self.notes.append(
                f"no configuration includes {names}{more}: not analysed (--fragments analyses them on their own)"
            )
        return []
