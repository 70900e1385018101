"""``nginxaudit upstreams``: how every upstream balances and fails over."""

from __future__ import annotations

import sys
from typing import Any, TextIO

import click

from nginxaudit.cli.complete import files, upstream_names
from nginxaudit.cli.help import Untranslated
from nginxaudit.cli.options import settings_of, target_options
from nginxaudit.cli.output import COLORS, Output, output_options
from nginxaudit.cli.streams import CommandError
from nginxaudit.views.upstreams import FORMATS


@click.command(
    "upstreams",
    cls=Untranslated,
    short_help="Show how every upstream balances, detects failures and fails over.",
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=files)
@output_options(FORMATS)
@click.option(
    "--upstream", metavar="GLOB", shell_complete=upstream_names, help="Only upstreams whose name matches."
)
@target_options
def command(paths: tuple[str, ...], **options: Any) -> int:
    """Show how every upstream balances, detects failures and fails over.

    For each: what it is (single, active-active, active-passive, …) and what it is meant to be, its
    servers with their effective settings, what counts as a failure and for how long a server is
    then unavailable, where this state is kept, what is retried, where it is used, and its findings.

    \b
    Examples:
      nginxaudit upstreams /etc/nginx
      nginxaudit upstreams --upstream 'shop*' --format json nginx.conf
    """
    from fnmatch import fnmatchcase

    from nginxaudit.engine.rules.rule import PageError
    from nginxaudit.engine.run.audit import examine
    from nginxaudit.engine.settings import SettingsError
    from nginxaudit.views.upstreams.view import views_of

    try:
        settings = settings_of(paths, options)
        with Output(options["output"]) as output:
            examination = examine(paths, settings, stdin=sys.stdin.buffer if "-" in paths else None)
            output.require_apart(examination.report.sources.values())
            wanted = options["upstream"]
            views = [
                view
                for view in views_of(examination.models, examination.active)
                if wanted is None or fnmatchcase(view.name.lower(), wanted.lower())
            ]
            if wanted is not None and not views:
                raise CommandError(f'there is no upstream named "{wanted}" in the input')
            color = COLORS[options["color"]]

            def tell(stream: TextIO) -> None:
                from nginxaudit.views.upstreams import render_upstreams

                if not views and options["format_name"] == "text":
                    stream.write("There is no upstream in the input.\n")
                else:
                    render_upstreams(options["format_name"], views, stream, color=color)

            output.write(tell, options["format_name"])
    except (SettingsError, PageError) as error:
        raise CommandError(str(error)) from None
    return 3 if examination.report.incomplete else 0
