"""``nginxaudit scan``: audit configurations and print a report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

from nginxaudit.cli.complete import files
from nginxaudit.cli.occasion import command_line, today
from nginxaudit.cli.options import jobs_of, setting_options, settings_of
from nginxaudit.cli.output import COLORS, Output, Reports, report_options, title_option
from nginxaudit.cli.sections import Sectioned
from nginxaudit.cli.streams import CommandError
from nginxaudit.engine.settings.record import READ, REPORTED, RULES, TARGET
from nginxaudit.report import FORMATS
from nginxaudit.report.arranged import SORTS

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.engine.settings import Settings
    from nginxaudit.model import Model
    from nginxaudit.views.graph.view import GraphView


@click.command("scan", cls=Sectioned, short_help="Audit configurations and print the findings.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=files)
@report_options(FORMATS)
@setting_options(TARGET, READ, RULES, REPORTED)
@click.option(
    "--exit-zero",
    "fail_on",
    flag_value="never",
    help="Exit with 0 even if there are findings; same as --fail-on never.",
)
@click.option(
    "--all",
    "show_all",
    is_flag=True,
    help="Show all findings in full, however many a rule has.",
)
@click.option(
    "--verbose", "-v", is_flag=True, help="Show info findings in full, and the addresses of rule pages."
)
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    help="The order of the findings: errors last, next to the prompt, or by file and line (default: severity; file for concise).",
)
@click.option("--quiet", "-q", is_flag=True, help="Print findings and what was not analysed, nothing else.")
@click.option("--silent", "-s", is_flag=True, help="Print nothing; the exit code shows the result.")
@click.option(
    "--show-suppressed", is_flag=True, help="Also show findings that a comment or a baseline suppresses."
)
@title_option
@click.option("--statistics", is_flag=True, help="Count the findings per rule instead of showing them.")
@click.option("--fix", "fix", is_flag=True, help="Apply the fixes that no client and no backend can notice.")
@click.option(
    "--fix-only",
    is_flag=True,
    help="Like --fix, but do not report what is left; it does not change the exit code.",
)
@click.option("--unsafe-fixes", is_flag=True, help="With --fix or --diff, also apply fixes that need review.")
@click.option(
    "--diff",
    is_flag=True,
    help="Show what --fix would change, as a patch; change nothing. Unlike reports, a patch contains "
    "the lines as they are, including secrets.",
)
@click.option("--watch", is_flag=True, help="Scan again whenever a file changes.")
@click.option(
    "--jobs",
    "-j",
    metavar="N|auto",
    callback=jobs_of,
    default="auto",
    show_default=True,
    help="Number of processes that run rules, or auto.",
)
@click.option(
    "--profile",
    is_flag=True,
    help="Print the time of each phase and rule to standard error; runs in one process.",
)
def command(paths: tuple[str, ...], **options: Any) -> int:
    """Audit configurations and print the findings.

    PATH is a configuration file, a directory, the output of `nginx -T`, a tar or zip archive, a container
    image (docker save, OCI layout), a Kubernetes manifest, or - for standard input; each of them may be
    compressed.
    Several paths are several independent configurations. Without PATH: the settings' `entry`, else
    what is found below ., else /etc/nginx (where standard input is a terminal).

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
      nginx -T | nginxaudit scan -
      nginxaudit scan --output sarif:nginxaudit.sarif --output junit:report.xml nginx/
      nginxaudit scan --diff nginx.conf, then nginxaudit scan --fix nginx.conf
      nginxaudit scan --topology 'backend*=active-passive' nginx.conf
      nginxaudit scan --context http,server snippets/proxy.conf
    """
    from nginxaudit.engine.rules.rule import PageError
    from nginxaudit.engine.settings import SettingsError

    options["fix"] = options["fix"] or options["fix_only"]
    _require_sense(paths, options)
    if options["watch"]:
        return _watched(paths, options)
    try:
        return _scanned(paths, options, settings_of(paths, options))[0]
    except (SettingsError, PageError) as error:
        raise CommandError(str(error)) from None


def _require_sense(paths: tuple[str, ...], options: dict[str, Any]) -> None:
    """Refuse options that contradict each other."""
    if options["fix_only"] and (options["outputs"] or options["format_name"] is not None):
        raise click.UsageError("--fix-only writes no report: leave out --format and --output, or use --fix")
    if options["unsafe_fixes"] and not (options["fix"] or options["diff"]):
        raise click.UsageError(
            "--unsafe-fixes says which fixes are meant: add --fix to write them, or --diff to see them"
        )
    if options["silent"] and (options["fix"] or options["diff"] or options["watch"] or options["statistics"]):
        raise click.UsageError("--silent cannot be used with --fix, --diff, --watch or --statistics")
    if options["fix"] and options["diff"]:
        raise click.UsageError("--fix writes and --diff only shows: give one of them")
    if options["diff"] and options["format_name"] is not None:
        raise click.UsageError("--diff writes a patch, --format is for reports: give one of them")
    if options["profile"] and (options["fix"] or options["diff"] or options["watch"]):
        raise click.UsageError("--profile cannot be used with --fix, --diff or --watch")
    if options["watch"] and ("-" in paths or options["fix"] or options["diff"]):
        raise click.UsageError("--watch cannot be used with standard input, --fix or --diff")
    if options["statistics"] and options["format_name"] not in (None, "text", "json"):
        raise click.UsageError("--statistics is written as text or json")


def _scanned(paths: tuple[str, ...], options: dict[str, Any], settings: Settings) -> tuple[int, Report]:
    """One scan: exit code and report."""
    from nginxaudit.cli.progress import Progress
    from nginxaudit.engine.run.audit import examine
    from nginxaudit.engine.run.clock import NO_CLOCK, Clock, Stopwatch

    stdin = sys.stdin.buffer if "-" in paths else None
    if options["fix"] or options["diff"]:
        return _fixed(paths, options, settings)
    begun = time.process_time()
    clock: Clock = Stopwatch() if options["profile"] else NO_CLOCK
    jobs = 1 if options["profile"] else options["jobs"]
    with Reports(
        options["format_name"], options["outputs"], FORMATS, stdout=not options["silent"]
    ) as reports:
        progress = Progress()
        examination = examine(paths, settings, stdin=stdin, progress=progress, jobs=jobs, clock=clock)
        progress.end()
        reports.require_apart(examination.report.sources.values())
        with clock.phase("report"):
            reports.write(_renderer(reports, examination.report, examination.models, options, settings))
    if isinstance(clock, Stopwatch):
        from nginxaudit.cli.profiling import show

        show(clock, begun)
    return examination.report.exit_code(settings.fail_severity), examination.report


def _fixed(paths: tuple[str, ...], options: dict[str, Any], settings: Settings) -> tuple[int, Report]:
    """Fix, or show what would be fixed; the report is on what is left."""
    from nginxaudit.cli.fixing import applied, say_why_not_fixed, show_diff, tried

    piped = "-" in paths
    unsafe, jobs = options["unsafe_fixes"], options["jobs"]
    data = sys.stdin.buffer.read() if piped else None
    if options["diff"]:
        with Output(_patch_file(options["outputs"])) as output:
            fixed = tried(paths, settings, unsafe=unsafe, stdin=data, writes=False, jobs=jobs)
            output.require_apart(fixed.report.sources.values())
            show_diff(fixed, settings, data, output)
        changed = bool(fixed.changes) or fixed.stdin is not None
        return (fixed.report.exit_code(None) or int(changed)), fixed.report
    if options["fix_only"]:
        fixed = tried(paths, settings, unsafe=unsafe, stdin=data, writes=True, jobs=jobs)
        with applied(fixed, paths, settings, data, left=False):
            pass
        say_why_not_fixed(fixed.report)
        return fixed.report.exit_code(None), fixed.report
    # Standard output holds the fixed text of standard input. The other reports are opened, and written, before
    # anything is changed: when that fails, nothing is.
    with Reports(options["format_name"], options["outputs"], FORMATS, stdout=not piped) as reports:
        fixed = tried(paths, settings, unsafe=unsafe, stdin=data, writes=True, jobs=jobs)
        reports.require_apart(fixed.report.sources.values())
        write = _renderer(reports, fixed.report, (), options, settings)
        reports.write_files(write)
        with applied(fixed, paths, settings, data):
            reports.commit()
        reports.write_stdout(write)
    return fixed.report.exit_code(settings.fail_severity), fixed.report


def _patch_file(outputs: Sequence[str]) -> str | None:
    """Where a patch goes: the one ``--output``, standard output without."""
    if not outputs:
        return None
    if len(outputs) > 1 or outputs[0].partition(":")[0] in FORMATS:
        raise click.UsageError("--diff writes a patch: give one --output FILE, without a format")
    return outputs[0]


def _watched(paths: tuple[str, ...], options: dict[str, Any]) -> int:
    from nginxaudit.cli.streams import say
    from nginxaudit.cli.watching import places_of, settings_places, watch
    from nginxaudit.engine.rules.rule import PageError
    from nginxaudit.engine.run.audit import default_paths
    from nginxaudit.engine.settings import Settings, SettingsError

    def scan() -> list[str]:
        settings = None
        places: list[str] = []
        try:
            settings = settings_of(paths, options)
            report = _scanned(paths, options, settings)[1]
            places += places_of(paths or default_paths(settings), report)
        except (SettingsError, PageError) as error:  # the next change may be its correction
            say(f"Error: {error}", error=True)
        first = (paths or default_paths(settings or Settings()))[0]
        return [*places, *settings_places(first, options["settings_file"], settings)]

    watch(scan)
    return 0


def _renderer(
    reports: Reports, report: Report, models: Sequence[Model], options: dict[str, Any], settings: Settings
) -> Callable[[str, TextIO], None]:
    """What writes the report in a format to a stream."""
    from nginxaudit.report import WITH_GRAPHS, RenderOptions, render

    views: tuple[GraphView, ...] = ()
    if models and not WITH_GRAPHS.isdisjoint(reports.formats):
        from nginxaudit.views.graph.view import views_of

        views = views_of(models, report.apart)
    render_options = RenderOptions(
        fold=not options["show_all"],
        verbose=options["verbose"],
        sort=options["sort"],
        quiet=options["quiet"],
        color=COLORS[options["color"]],
        show_suppressed=options["show_suppressed"],
        fail_on=settings.fail_severity,
        views=views,
        title=options["title"],
        date=today(),
        command=command_line(),
    )

    def one(name: str, stream: TextIO) -> None:
        if options["statistics"] and name in ("text", "json", "github"):
            from nginxaudit.report.statistics import render_statistics

            render_statistics(name, report, stream, render_options)
        else:
            render(name, report, stream, render_options)

    return one
