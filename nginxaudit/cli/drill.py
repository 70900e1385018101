"""``nginxaudit drill``: what is lost when servers die, hang, fail or are restarted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from nginxaudit.cli.complete import files, upstream_names
from nginxaudit.cli.loads import LOAD_OPTIONS, load_of
from nginxaudit.cli.options import settings_of, target_options
from nginxaudit.cli.output import COLORS, Output, output_options, title_option
from nginxaudit.cli.sections import Sectioned
from nginxaudit.cli.streams import CommandError
from nginxaudit.drill.kinds import KINDS
from nginxaudit.views.drill import FORMATS

if TYPE_CHECKING:
    from nginxaudit.engine.run.audit import Examination
    from nginxaudit.views.drill.view import Drilled


def _load_options(command: Any) -> Any:
    for option in reversed(LOAD_OPTIONS):
        command = option(command)
    return command


@click.command(
    "drill", cls=Sectioned, short_help="Simulate what is lost when a server fails, hangs or is restarted."
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=files)
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    type=click.Choice(KINDS),
    help="Only this kind of scenario; repeat for several (default: all).",
)
@click.option(
    "--upstream",
    metavar="GLOB",
    shell_complete=upstream_names,
    default="*",
    help="Only upstreams whose name matches.",
)
@_load_options
@click.option(
    "--fail-on",
    "fails_on",
    type=click.Choice(["lost", "fixable", "never"]),
    default="lost",
    show_default=True,
    help="Exit with 1 if a scenario loses requests (lost), if other settings without another server would lose fewer "
    "(fixable), or never.",
)
@output_options(FORMATS)
@title_option
@click.option(
    "--all",
    "show_all",
    is_flag=True,
    help="Also run the scenarios in which no server is left; show the timeline of every scenario in the text.",
)
@target_options
def command(paths: tuple[str, ...], **options: Any) -> int:
    """Simulate what is lost when a server fails, hangs or is restarted.

    Simulates how nginx selects servers, counts failures and retries requests, for each upstream
    and each location that uses it: how many requests are lost and retried, when a failing server is
    marked unavailable and used again, and which settings decide this. Proposed changes are simulated as well.

    \b
    Scenarios (each server, each host with several servers, all primaries if a backup is left):
      refuse     the process is gone       5xx    it answers with errors
      hang       it never answers          slow   it answers late
      blackhole  the host is gone          flap   it fails and recovers repeatedly
      rolling    a rolling restart: one after the other
      start      nginx is started, and active checks begin with servers that are down

    Requests that a server was processing when it failed, and that nginx must not send twice, do not count
    as lost: no configuration can save them.

    \b
    Exit codes:
      0  no scenario loses requests (see --fail-on)
      1  some scenario loses requests
      2  wrong usage or settings
      3  some input could not be analysed, or an upstream in use could not be simulated (wins over 1)
      4  internal error

    \b
    Examples:
      nginxaudit drill /etc/nginx
      nginxaudit drill --scenario rolling --restart 40s --pause 15s nginx.conf
      nginxaudit drill --upstream 'shop*' --rate 200/s --methods GET:0.7,POST:0.3 nginx.conf
      nginxaudit drill --format html --output drill.html --fail-on fixable nginx.conf
    """
    from nginxaudit.engine.rules.rule import PageError
    from nginxaudit.engine.run.audit import examine
    from nginxaudit.engine.settings import SettingsError

    load = load_of(options)
    try:
        settings = settings_of(paths, options)
        with Output(options["output"]) as output:
            examination = examine(paths, settings, stdin=sys.stdin.buffer if "-" in paths else None)
            output.require_apart(examination.report.sources.values())
            drilled = _drilled(examination, load, examination.target, options)
            color = COLORS[options["color"]]

            def tell(stream: TextIO) -> None:
                from nginxaudit.views.drill import render_drill

                render_drill(
                    options["format_name"],
                    drilled,
                    stream,
                    color=color,
                    show_all=options["show_all"],
                    title=options["title"],
                )

            output.write(tell, options["format_name"])
    except (SettingsError, PageError) as error:
        raise CommandError(str(error)) from None
    if examination.report.incomplete or drilled.unknown:
        return 3
    return int(_failed(drilled, options["fails_on"]))


def _drilled(examination: Examination, load: Any, target: Any, options: dict[str, Any]) -> Drilled:
    from nginxaudit.cli.progress import Progress
    from nginxaudit.views.drill.view import drilled_of

    wanted = options["upstream"]
    progress = Progress("drilling")
    drilled = drilled_of(
        examination.models,
        load,
        options["scenarios"] or None,
        target,
        wanted,
        examination.active,
        progress,
        everything=options["show_all"],
    )
    progress.end()
    if wanted != "*" and not (drilled.blocks or drilled.skipped or drilled.left_out):
        raise CommandError(f'there is no upstream named "{wanted}" in the input')
    return drilled


def _failed(drilled: Drilled, fails_on: str) -> bool:
    from nginxaudit.views.drill.view import fixable

    if fails_on == "never":
        return False
    lossy = (each for block in drilled.blocks for each in block.results if not each.verdict.passed)
    return any(fails_on == "lost" or fixable(each) for each in lossy)
