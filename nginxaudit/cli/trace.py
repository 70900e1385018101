"""``nginxaudit trace``: what happens to a request, and why."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import click

from nginxaudit.cli.asks import request_options
from nginxaudit.cli.options import settings_of, target_options
from nginxaudit.cli.output import COLORS, Output, output_options
from nginxaudit.cli.sections import Sectioned
from nginxaudit.cli.streams import CommandError
from nginxaudit.views.trace import FORMATS

if TYPE_CHECKING:
    from nginxaudit.engine.settings import Settings
    from nginxaudit.model import Model
    from nginxaudit.request.records import Ask
    from nginxaudit.views.trace.view import TraceView


@click.command("trace", cls=Sectioned, short_help="Show what happens to a request, and why.")
@click.argument("words", nargs=-1, metavar="[PATH] URL...", required=True)
@request_options
@output_options(FORMATS)
@target_options
def command(words: tuple[str, ...], **options: Any) -> int:
    """Show what happens to a request, and why.

    Walks each URL through the configuration as nginx does: socket, server, rewrites, location,
    access, files or backend, error pages, headers. Every step has its file and line, and the
    reason; locations that lost are named. Nothing is sent, and no file of the site is read:
    what cannot be known (does a file exist, what does a backend answer) is a branch, unless an
    option says it. tcp://, tls:// and udp:// with a port are connections of stream.

    PATH is a file, a directory, an archive, a dump or - as for scan. Without it: the settings'
    entry, what is below ., else /etc/nginx. A URL may lack its scheme; /path alone asks localhost;
    @FILE is a file with a URL on each line.

    \b
    Exit codes:
      0  every URL was traced
      2  wrong usage or settings
      3  some input could not be analysed, or nothing in it serves HTTP
      4  internal error

    \b
    Examples:
      nginxaudit trace /etc/nginx https://shop.example/cart
      nginxaudit trace -X POST -d x=1 -H 'Cookie: a=b' nginx.conf shop.example/api/
      nginxaudit trace --from 10.0.0.7 --file-exists /srv/www/a.txt nginx.conf shop.example/a.txt
      nginxaudit trace --format json nginx.conf @urls.txt
    """
    from nginxaudit.engine.settings import SettingsError

    paths, urls = _split(words)
    try:
        settings = settings_of(paths, options)
        with Output(options["output"]) as output:
            models, incomplete = serving(paths, settings)
            views = _views(models, urls, options, settings.prefix)

            def tell(stream: TextIO) -> None:
                from nginxaudit.views.trace import render_traces

                render_traces(options["format_name"], views, stream, color=COLORS[options["color"]])

            output.write(tell, options["format_name"])
    except SettingsError as error:
        raise CommandError(str(error)) from None
    return 3 if incomplete else 0


def _split(words: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """The path before the URLs, if there is one, and the URLs."""
    first = words[0]
    is_path = first == "-" or ("://" not in first and not first.startswith("@") and os.path.lexists(first))
    if is_path and len(words) == 1:
        raise click.UsageError(f"{first} is a path: add the URL of a request")
    return (words[:1], list(words[1:])) if is_path else ((), list(words))


def serving(
    paths: tuple[str, ...], settings: Settings, stdin: BinaryIO | None = None, main: str | None = None
) -> tuple[list[Model], bool]:
    """The configurations with http servers, and whether something could not be analysed, which is said.

    ``stdin`` is read for ``-``; ``main`` is the name of the main file at the top of the archive in it, all others are left out.
    """
    from nginxaudit.engine.run.models import read_models

    read = read_models(paths, settings, (stdin or sys.stdin.buffer) if "-" in paths else None)
    _say(tuple([f"not analysed: {trouble}" for trouble in read.troubles]))
    models = [model for model in read.models if model.servers("http") or model.servers("stream")]
    if main is not None:
        models = [model for model in models if model.config.main.path.rpartition("!")[2] == main]
    if not models:
        _say(("there is no server of http or stream in what was read",))
    return models, bool(read.troubles) or not models


def _say(troubles: tuple[str, ...]) -> None:
    from nginxaudit.cli.streams import say
    from nginxaudit.report.sanitize import visible

    for trouble in troubles[:10]:
        say(f"nginxaudit: {visible(trouble)}", error=True)


def _views(
    models: list[Model], urls: list[str], options: dict[str, Any], prefix: str | None
) -> Iterator[TraceView]:
    """The traces, one when it is asked for: there may be many."""
    from nginxaudit.cli.asks import asks_of, world_of
    from nginxaudit.request.walk import trace
    from nginxaudit.views.trace.view import view_of

    world = world_of(options, prefix)
    asks = list(asks_of(urls, options))  # mistakes in URLs are told before the first trace
    if models:
        for ask in asks:
            yield view_of(trace(model_for(models, ask), ask, world))


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
