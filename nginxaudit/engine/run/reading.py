"""Paths to configurations: roots, the contexts in which they stand, and their trees with includes expanded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import BinaryIO

from msgspec import Struct

from nginxaudit.engine.results.bounds import too_long
from nginxaudit.engine.run.clock import Clock
from nginxaudit.engine.run.context import Contexts
from nginxaudit.engine.run.outermost import outermost
from nginxaudit.engine.run.targets import Targets
from nginxaudit.engine.settings import Settings, SettingsError
from nginxaudit.model import Model
from nginxaudit.nginx import Target
from nginxaudit.source.envsubst import Filling, filling_of
from nginxaudit.source.files import Texts
from nginxaudit.source.links import real_path
from nginxaudit.source.placing import ReadOptions
from nginxaudit.source.read import is_below
from nginxaudit.source.root import Root, Roots, Unread
from nginxaudit.source.roots import find_roots
from nginxaudit.source.scanned import listed
from nginxaudit.syntax.fragments import (
    context_of_path,
    declared_context,
    infer_context,
    is_lone,
    is_main,
)
from nginxaudit.syntax.includes import ParseCache, expand
from nginxaudit.syntax.parse import parse
from nginxaudit.syntax.tree import Config


class Work(Struct, frozen=True):
    """A root and what it means: a whole configuration, or a fragment in its most likely place.

    ``whole`` is False where it is read for the sake of a file that it includes.
    """

    root: Root
    model: Model
    whole: bool


class Reading:
    """Reads what ``paths`` name. ``overlay`` maps real paths to texts that are read in place of what is on disk;
    ``named`` says that the user named the paths.

    ``given`` are the real paths of files of which only they themselves are asked for; ``unread`` is what could
    not be read, ``notes`` say what was found and is not analysed, ``remarks`` how the input was read,
    ``target`` all versions of nginx that it is judged for.
    """

    def __init__(
        self, settings: Settings, overlay: Mapping[str, str] | None, clock: Clock, *, named: bool
    ) -> None:
        self._settings = settings
        self._options = ReadOptions(
            settings.prefix,
            settings.allow_outside,
            settings.stdin_filename,
            Texts(overlay, settings.limits.max_file_size, _filling(settings)),
            settings.limits,
            named,
            settings.base,
            settings.exclude,
            settings.changed,
            settings.context is not None,
        )
        self._cache = ParseCache(settings.limits, clock.timed("parse", parse))
        self._timing = partial(clock.phase, "model")
        self._targets = Targets(settings)
        self._context_only: set[str] = set()  # roots that are read for the sake of a file they include
        self.given: set[str] = set()
        self.unread: list[Unread] = []
        self.notes: list[str] = []
        self.remarks: list[str] = []
        self.target = settings.target

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
        found = self._outermost(roots.roots, reached)
        found += self._outermost(self._loose(roots, reached), reached)
        _told_once(found)
        self.target = self._targets.whole
        self.remarks += [*self._targets.remarks, *_templates(found, self._options.texts.filling)]
        if self._settings.allow_outside:
            self.remarks += _outside(found, paths)
        return found

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

    def _outermost(self, roots: list[Root], reached: set[str]) -> list[Work]:
        """The work of ``roots``, in order: of those that were found by searching the ones that no other includes.

        ``reached`` are the real paths of the files that are analysed, and grows.
        """
        first = roots
        if any(root.searched for root in roots):
            tops = set(map(id, outermost(roots, self._cache)))
            first = [root for root in roots if not root.searched or id(root) in tops]
        works = {id(root): self._work(root, reached) for root in first}
        # An include may lead nowhere after all: beyond a limit, or from where the file that includes it stands.
        for root in roots:
            if id(root) not in works and root.source.real not in reached:
                works[id(root)] = self._work(root, reached)
        return [works[id(root)] for root in roots if id(root) in works]

    def _work(self, root: Root, reached: set[str]) -> Work:
        config = self._expand(root, self._context(root), fragment=self._is_fragment(root))
        reached.update(source.real for source in config.sources.values())
        model = self._model(config, self._targets.of(root, config))
        return Work(root, model, root.source.real not in self._context_only)

    def _is_fragment(self, root: Root) -> bool:
        """Whether the rest of the configuration is elsewhere."""
        statements = self._cache.get(root.source).statements
        if is_main(statements):
            return is_lone(statements) and not self._is_started(root)
        return not self._is_empty_main(root)

    def _is_started(self, root: Root) -> bool:
        """Whether it is known that nginx is started with this file, whatever it lacks."""
        path = root.source.path
        return (
            os.path.basename(path) == "nginx.conf" or root.context == "main" or path in self._settings.entry
        )

    def _is_empty_main(self, root: Root) -> bool:
        """An empty ``nginx.conf`` is what nginx is started with, and refuses."""
        empty = not self._cache.get(root.source).statements
        return empty and os.path.basename(root.source.path) == "nginx.conf"

    def _context(self, root: Root) -> str:
        parsed = self._cache.get(root.source)
        if is_main(parsed.statements):
            return "main"
        path = declared_context(parsed.comments) or root.context or self._settings.context
        if path is None:
            return infer_context(parsed.statements, root.source.path)
        try:
            return context_of_path(path)
        except ValueError as error:
            raise SettingsError(f"{root.source.path}: context={path}: {error}") from None

    def _expand(self, root: Root, context: str, *, fragment: bool = False) -> Config:
        return expand(root.source, root.files, self._cache, context, fragment=fragment)

    def _model(self, config: Config, target: Target) -> Model:
        settings = self._settings
        model = Model(config, target, settings.topologies, settings.limits, self._timing)
        config.problems.extend(too_long(model))
        return model

    def _loose(self, roots: Roots, reached: set[str]) -> list[Root]:
        """Files of a scanned directory that no root includes.

        Those in the directory of a configuration are not in use, and analysed when asked; all others are parts of
        configurations that are elsewhere.
        """
        fragments = [root for root in roots.loose if root.source.real not in reached]
        if self._settings.fragments:
            return fragments
        tops = {f"{os.path.dirname(root.source.real)}/" for root in roots.roots}
        unused = [root for root in fragments if root.source.real.startswith(tuple(tops))]
        if unused:
            count = len(unused)
            verb = "file looks" if count == 1 else "files look"
            self.notes.append(
                f"{count:,} {verb} like nginx, but no configuration includes {'it' if count == 1 else 'them'} "
                f"(--fragments analyses each separately): {listed(root.source.path for root in unused)}"
            )
        named = set(map(id, unused))
        return [root for root in fragments if id(root) not in named]


def _filling(settings: Settings) -> Filling | None:
    """What templates are filled in with; None for nothing. Raises `SettingsError`."""
    try:
        return filling_of(settings.env_file, settings.define) or None
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _templates(works: list[Work], filling: Filling | None) -> list[str]:
    """Which of the texts are templates, and that of those a part is judged."""
    texts = {path: source for work in works for path, source in work.model.config.sources.items()}
    found: dict[str, list[str]] = {}
    for path, source in texts.items():
        if source.template is not None:
            found.setdefault(_IN_PART, []).append(path)
        elif filling is not None and filling.is_template(path):
            found.setdefault("filled in as the nginx image does it", []).append(path)
    return [
        f"{paths[0]} is a template, {how}"
        if len(paths) == 1
        else f"{len(paths):,} templates, {how}: {listed(paths)}"
        for how, paths in found.items()
    ]


_IN_PART = "judged in part (values that are filled in are unknown, alternatives are not compared)"


def _outside(works: list[Work], paths: list[str]) -> list[str]:
    """Which files of this machine were read that are not in what was asked for."""
    tops = [real_path(path if os.path.isdir(path) else os.path.dirname(path) or ".") for path in paths]
    sources = (source for work in works for source in work.model.config.sources.values())
    read = dict.fromkeys(
        source.real for source in sources if os.path.isabs(source.real) and not is_below(source.real, tops)
    )
    return [f"--allow-outside: read from outside: {', '.join(read)}"] if read else []


def _told_once(works: list[Work]) -> None:
    """What texts say by themselves is told where they are first read, however often they are included."""
    known: set[str] = set()
    for work in works:
        config = work.model.config
        fresh = config.fresh = config.sources.keys() - known
        known |= fresh
