"""Paths to configurations without running rules: for commands that ask what a configuration means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from msgspec import Struct

from nginxaudit.engine.run.audit import default_paths, paused_collector
from nginxaudit.engine.run.clock import NO_CLOCK
from nginxaudit.engine.run.reading import Reading
from nginxaudit.engine.settings import Settings
from nginxaudit.model import Model


class ReadModels(Struct, frozen=True):
    """The configurations behind some paths, fragments in their most likely place. ``troubles`` are in words: what could not be
    read, or not wholly; ``notes`` say what was found and is not analysed.
    """

    models: tuple[Model, ...]
    troubles: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_models(paths: Sequence[str], settings: Settings, stdin: BinaryIO | None = None) -> ReadModels:
    """Read ``paths``, or what the settings name. Bad input never raises, it is a trouble."""
    with paused_collector():
        chosen = list(paths) or default_paths(settings)
        reading = Reading(settings, None, NO_CLOCK, named=bool(paths))
        models = tuple([work.model for work in reading.works(chosen, stdin)])
    troubles = [f"{unread.path}: {unread.error}" for unread in reading.unread]
    for model in models:
        troubles += [
            f"{problem.source.path}:{problem.source.position(problem.start)[0]}: {problem.message}"
            for problem in model.config.problems
            if not problem.analysed
        ]
    return ReadModels(models, tuple(dict.fromkeys(troubles)), tuple(reading.notes))
