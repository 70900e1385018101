"""``nginxaudit scan``: audit configurations and print a report."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from nginxaudit.cli.options import settings_of, target_options
from nginxaudit.cli.output import COLORS, Output, output_options
from nginxaudit.report import FORMATS

if TYPE_CHECKING:
    from nginxaudit.engine.report import Report
    from nginxaudit.engine.settings import Settings

_LEVELS = click.Choice(["info", "warning", "error"])


@click.command("scan", short_help="Audit configurations and print what is wrong.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@output_options(FORMATS)
@click.option(
    "--select",
    multiple=True,
    metavar="RULE",
    help="Only these rules: slug, id, category, tag or ALL. Repeat or separate by commas.",
)
@click.option("--extend-select", multiple=True, metavar="RULE", help="These rules, besides the default ones.")
@target_options
@click.option("--ignore", multiple=True, metavar="RULE", help="Not these rules.")
@click.option(
    "--check-files",
    is_flag=True,
    default=None,
    help="Also look whether the files that the configuration names exist here and can be read.",
)
@click.option("--min-severity", type=_LEVELS, help="Report only findings at or above this severity.")
@click.option(
    "--min-confidence",
    type=click.Choice(["low", "medium", "high"]),
    help="Report only findings at or above this confidence.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["info", "warning", "error", "never"]),
    help="Lowest severity that makes the exit code 1 (default: warning).",
)
@click.option(
    "--rules", "rule_directories", multiple=True, metavar="DIR", help="More rule pages (declarative)."
)
@click.option("--all", "show_all", is_flag=True, help="Show every place of a rule, however many there are.")
@click.option("--show-suppressed", is_flag=True, help="Also show findings that a comment silences.")
def command(paths: tuple[str, ...], **options: Any) -> int:
    """Audit configurations and print what is wrong.

    PATH is a configuration file, a directory, the output of `nginx -T`, or - for standard input.
    Several paths are several independent configurations. Without PATH: the settings' `entry`, else
    ./nginx.conf, else /etc/nginx.

    \b
    Exit codes:
      0  nothing at or above --fail-on
      1  findings
      2  wrong usage or settings
      3  some input could not be analysed (wins over 1)
      4  internal error

    \b
    Examples:
      nginxaudit scan /etc/nginx
      nginxaudit scan --edition plus --nginx-version 1.28 nginx.conf
      nginx -T | nginxaudit scan --format sarif --output nginxaudit.sarif -
      nginxaudit scan --topology 'backend*=active-passive' nginx.conf
      nginxaudit scan --context http,server snippets/proxy.conf
    """
    from nginxaudit.engine.audit import audit
    from nginxaudit.engine.rule import PageError
    from nginxaudit.engine.settings import SettingsError

    try:
        settings = settings_of(paths, options)
        with Output(options["output"]) as output:
            report = audit(paths, settings, stdin=sys.stdin.buffer if "-" in paths else None)
            output.write(lambda stream: _render(report, options, settings, stream))
    except (SettingsError, PageError) as error:
        raise click.UsageError(str(error)) from None
    return report.exit_code(settings.fail_on)


def _render(report: Report, options: dict[str, Any], settings: Settings, stream: TextIO) -> None:
    from nginxaudit.report import RenderOptions, render

    render_options = RenderOptions(
        fold=not options["show_all"],
        color=COLORS[options["color"]],
        show_suppressed=options["show_suppressed"],
        fail_on=settings.fail_on,
    )
    render(options["format_name"], report, stream, render_options)
