"""``nginxaudit graph``: the way of a request, drawn."""

from __future__ import annotations

import sys
from typing import Any

import click

from nginxaudit.cli.complete import files, upstream_names
from nginxaudit.cli.help import Untranslated
from nginxaudit.cli.options import settings_of, target_options
from nginxaudit.cli.output import COLORS, Output, output_options, title_option
from nginxaudit.cli.streams import CommandError
from nginxaudit.views.graph import FORMATS


@click.command(
    "graph",
    cls=Untranslated,
    short_help="Draw the request flow: sockets, servers, locations, upstreams, backends.",
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=files)
@output_options(FORMATS)
@title_option
@click.option(
    "--upstream",
    metavar="GLOB",
    default="",
    shell_complete=upstream_names,
    help="Only what belongs to upstreams whose name matches.",
)
@click.option("--server", metavar="NAME", default="", help="Only what belongs to servers with this name.")
@target_options
def command(paths: tuple[str, ...], **options: Any) -> int:
    """Draw the request flow: sockets, servers, locations, upstreams, backends.

    Findings are marked where they belong. Dashed lines lead to backups and to servers marked down.

    \b
    Examples:
      nginxaudit graph /etc/nginx
      nginxaudit graph --format html --output nginx.html /etc/nginx
      nginxaudit graph --format mermaid --upstream 'shop*' nginx.conf
    """
    from nginxaudit.engine.rules.rule import PageError
    from nginxaudit.engine.run.audit import examine
    from nginxaudit.engine.settings import SettingsError

    try:
        settings = settings_of(paths, options)
        with Output(options["output"]) as output:
            examination = examine(paths, settings, stdin=sys.stdin.buffer if "-" in paths else None)
            output.require_apart(examination.report.sources.values())
            views = _views(examination, options)
            color = COLORS[options["color"]]

            def draw(stream: Any) -> None:
                from nginxaudit.views.graph import render_graph

                render_graph(options["format_name"], views, stream, color=color, title=options["title"])

            output.write(draw, options["format_name"])
    except (SettingsError, PageError) as error:
        raise CommandError(str(error)) from None
    return 3 if examination.report.incomplete else 0


def _views(examination: Any, options: dict[str, Any]) -> Any:
    from nginxaudit.views.graph.view import views_of

    wanted = options["upstream"], options["server"]
    views = views_of(examination.models, examination.active, *wanted)
    if not views:
        raise CommandError(
            f'there is no upstream or server named "{wanted[0] or wanted[1]}" in the input'
            if any(wanted)
            else "the input contains no server that listens or passes requests"
        )
    return views
