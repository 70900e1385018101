"""The configurations that requests are walked through, and what is said where there are none, or several."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nginxaudit.engine.settings import Settings
    from nginxaudit.model import Model
    from nginxaudit.request.records import Ask
    from nginxaudit.source.text import SourceText

_MOST = 4  # files that a message names


def serving(
    paths: tuple[str, ...], settings: Settings, stdin: BinaryIO | None = None, main: str | None = None
) -> tuple[list[Model], bool]:
    """The configurations with servers, and whether something could not be analysed, which is said.

    ``stdin`` is read for ``-``; ``main`` is the name of the main file at the top of the archive in it, all others are left out.
    A part that stands in a server which is elsewhere counts only where there is nothing else.
    """
    from nginxaudit.engine.run.models import read_models

    read = read_models(paths, settings, (stdin or sys.stdin.buffer) if "-" in paths else None)
    _say(f"not analysed: {trouble}" for trouble in read.troubles)
    models = [model for model in read.models if model.servers("http") or model.servers("stream")]
    models = [model for model in models if not model.is_in_server] or models
    if main is not None:
        models = [model for model in models if model.config.main.path.rpartition("!")[2] == main]
    if not models:
        _say((_nothing(read.models), *read.notes))
    return models, bool(read.troubles) or not models


def sources_of(models: Iterable[Model]) -> Iterator[SourceText]:
    """The texts that the configurations are made of."""
    return (source for model in models for source in model.config.sources.values())


def say_several(models: list[Model]) -> None:
    """That it is not one configuration which is walked, and which of them a request is for."""
    if len(models) > 1:
        names = _listed(model.config.main.path for model in models)
        _say(
            (
                f"{len(models)} configurations that do not include each other: {names}. A request goes to the one with a server "
                "of its name, else to the first that listens on its port; give one of them as PATH to walk it alone",
            )
        )


def model_for(models: list[Model], ask: Ask) -> Model:
    """Of several configurations the one with a server for the name, else the first that listens on the port."""
    if len(models) == 1:
        return models[0]
    from nginxaudit.request.servers import sockets_for

    host = (ask.host or "").partition(":")[0].lower()
    listening = [(model, sockets) for model in models if (sockets := sockets_for(model, ask))]
    for model, sockets in listening:
        if any(socket.choose(host).name is not None for socket in sockets):
            return model
    return listening[0][0] if listening else models[0]


def _nothing(models: tuple[Model, ...]) -> str:
    """Why there is no server, and what to do."""
    if not models:
        return "no configuration was found: name an nginx.conf, a directory with one, or a file with the output of nginx -T"
    whole = [model for model in models if not model.config.fragment]
    if not whole:
        names = _listed(model.config.main.path for model in models)
        return f"no server of http or stream: only parts of a configuration were read ({names}). Name the nginx.conf that includes them"
    config = whole[0].config
    for nodes, why in (
        (config.barren_includes, "matches no file"),
        (config.incomplete_includes, "could not be read"),
    ):
        for node in reversed(nodes):  # the one of the servers is mostly the last
            line = node.source.position(node.start)[0]
            words = " ".join([node.name, *node.args])
            return (
                f'no server of http or stream in {config.main.path}: "{words}" ({node.source.path}:{line}) {why}. '
                "Name a tree that has the files of the servers, too, or the output of nginx -T"
            )
    return f"no server of http or stream in {_listed(model.config.main.path for model in whole)}"


def _listed(paths: Iterable[str]) -> str:
    names = list(paths)
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _say(troubles: Iterable[str]) -> None:
    from nginxaudit.cli.streams import say
    from nginxaudit.report.sanitize import visible

    for trouble in list(troubles)[:10]:
        say(f"nginxaudit: {visible(trouble)}", error=True)
