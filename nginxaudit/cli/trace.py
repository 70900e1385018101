"""``nginxaudit trace``: what happens to a request, and why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

import click

from nginxaudit.cli.asks import request_options
from nginxaudit.cli.options import settings_of, target_options
from nginxaudit.cli.output import COLORS, Output, output_options
from nginxaudit.cli.sections import Sectioned
from nginxaudit.cli.serving import model_for, say_several, serving, sources_of
from nginxaudit.cli.streams import CommandError
from nginxaudit.views.trace import FORMATS

if TYPE_CHECKING:
    from nginxaudit.model import Model
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
    reason; locations that were not chosen are named. Nothing is sent, and no file of the site is read:
    what cannot be known (whether a file exists, what a backend answers) is a branch, unless an
    option specifies it. tcp://, tls:// and udp:// with a port are connections of stream.

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
            output.require_apart(sources_of(models))
            say_several(models)
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
