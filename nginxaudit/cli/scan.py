"""``nginxaudit scan``: audit configurations and print a report."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from nginxaudit.cli.streams import writing
from nginxaudit.report import FORMATS

if TYPE_CHECKING:
    from nginxaudit.engine.report import Report
    from nginxaudit.engine.settings import Settings

_LEVELS = click.Choice(["info", "warning", "error"])


@click.command("scan", short_help="Audit configurations and print what is wrong.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--format",
    "-f",
    "format_name",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="How the report is written.",
)
@click.option("--output", "-o", metavar="FILE", help="Write the report to FILE instead of standard output.")
@click.option(
    "--select",
    multiple=True,
    metavar="RULE",
    help="Only these rules: slug, id, category, tag or ALL. Repeat or separate by commas.",
)
@click.option("--extend-select", multiple=True, metavar="RULE", help="These rules, besides the default ones.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Not these rules.")
@click.option(
    "--nginx-version", metavar="X.Y.Z", help="The nginx the configuration is for (default: newest known)."
)
@click.option("--edition", type=click.Choice(["oss", "plus"]), help="Open source (default) or NGINX Plus.")
@click.option(
    "--module", multiple=True, metavar="NAME", help="A third-party module that is loaded, e.g. lua."
)
@click.option(
    "--topology",
    multiple=True,
    metavar="NAME=KIND",
    help="What an upstream is meant to be: active-active or active-passive. NAME may be a glob.",
)
@click.option("--context", metavar="BLOCKS", help="Where a fragment belongs, e.g. http,server.")
@click.option(
    "--fragments",
    is_flag=True,
    default=None,
    help="Also analyse files of a directory that no configuration includes.",
)
@click.option("--stdin-filename", metavar="PATH", help="Name of the text read from standard input.")
@click.option("--prefix", metavar="DIR", help="Where the scanned tree is installed, for absolute includes.")
@click.option(
    "--allow-outside",
    is_flag=True,
    default=None,
    help="Let includes be read that lie outside the scanned directory.",
)
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
@click.option("--settings", "settings_file", metavar="FILE", help="Use this settings file.")
@click.option("--no-settings", is_flag=True, help="Use no settings file.")
@click.option(
    "--rules", "rule_directories", multiple=True, metavar="DIR", help="More rule pages (declarative)."
)
@click.option("--all", "show_all", is_flag=True, help="Show every place of a rule, however many there are.")
@click.option("--show-suppressed", is_flag=True, help="Also show findings that a comment silences.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours in the text report.",
)
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
        settings = _settings(paths, options)
        with _Output(options["output"]) as output:
            report = audit(paths, settings, stdin=sys.stdin.buffer if "-" in paths else None)
            output.write(report, options, settings)
    except (SettingsError, PageError) as error:
        raise click.UsageError(str(error)) from None
    return report.exit_code(settings.fail_on)


class _Output:
    """Where the report goes. A file is opened before the work begins and put in place when complete."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> _Output:
        if self._path is None:
            if sys.stdout is None:
                raise click.UsageError("standard output is closed: give --output FILE")
        else:
            try:
                if os.path.isdir(self._path):
                    raise IsADirectoryError(21, "it is a directory")
                if os.path.exists(self._path) and not os.access(self._path, os.W_OK):
                    raise PermissionError(13, "permission denied")
                self._temporary = f"{self._path}.{os.getpid()}.tmp"
                self._file = open(self._temporary, "w", encoding="utf-8", newline="\n")
            except OSError as error:
                reason = error.strerror or str(error)
                raise click.UsageError(f"--output {self._path}: cannot be written: {reason}") from None
        return self

    def write(self, report: Report, options: dict[str, Any], settings: Settings) -> None:
        """Render ``report``."""
        from nginxaudit.report import RenderOptions, render

        stream = self._file or sys.stdout
        if stream is sys.stdout and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        render_options = RenderOptions(
            fold=not options["show_all"],
            color={"auto": None, "always": True, "never": False}[options["color"]],
            show_suppressed=options["show_suppressed"],
            fail_on=settings.fail_on,
        )
        with writing(f"--output {self._path}" if self._path else "standard output"):
            render(options["format_name"], report, stream, render_options)
            stream.flush()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._file is None or self._path is None:
            return
        if kind is None:
            self._file.close()
            os.replace(self._temporary, self._path)
            return
        with contextlib.suppress(OSError):  # on a full disk what is left in the buffer fails once more
            self._file.close()
        os.unlink(self._temporary)


def _settings(paths: tuple[str, ...], options: dict[str, Any]) -> Settings:
    """Settings of the file that belongs to the paths, with the command line over them."""
    from dataclasses import replace

    from nginxaudit.engine.settings import Settings, discover, load
    from nginxaudit.finding import Confidence, Severity

    file = options["settings_file"]
    if file is None and not options["no_settings"]:
        file = discover(_first_path(paths, options["stdin_filename"]))
    settings = load(file) if file else Settings()
    fail_on = options["fail_on"]
    if fail_on:
        settings = replace(settings, fail_on=None if fail_on == "never" else Severity[fail_on.upper()])
    return settings.with_options(
        target=_target(settings, options),
        select=_split(options["select"]) or None,
        extend_select=_split(options["extend_select"]) + settings.extend_select,
        ignore=_split(options["ignore"]) + settings.ignore,
        rule_directories=options["rule_directories"] + settings.rule_directories,
        topologies={**settings.topologies, **_topologies(options["topology"])},
        context=_context(options["context"]),
        fragments=options["fragments"],
        allow_outside=options["allow_outside"],
        check_files=options["check_files"],
        prefix=options["prefix"],
        stdin_filename=options["stdin_filename"],
        min_severity=Severity[options["min_severity"].upper()] if options["min_severity"] else None,
        min_confidence=Confidence[options["min_confidence"].upper()] if options["min_confidence"] else None,
    )


def _first_path(paths: tuple[str, ...], stdin_filename: str | None) -> str:
    first = next((path for path in paths if path != "-"), None)
    return first or stdin_filename or "."


def _target(settings: Settings, options: dict[str, Any]) -> Any:
    from dataclasses import replace

    from nginxaudit.nginx import parse_version

    target = settings.target
    if options["nginx_version"]:
        try:
            target = replace(target, version=parse_version(options["nginx_version"]))
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--nginx-version") from None
    if options["edition"]:
        target = replace(target, edition=options["edition"])
    return replace(target, modules=target.modules | set(_split(options["module"])))


def _split(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def _topologies(values: tuple[str, ...]) -> dict[str, str]:
    from nginxaudit.engine.settings import TOPOLOGIES
    from nginxaudit.engine.suggest import did_you_mean

    found = {}
    for value in values:
        name, equals, kind = value.partition("=")
        if not equals or not name or kind not in TOPOLOGIES:
            hint = did_you_mean(kind, TOPOLOGIES)
            raise click.BadParameter(
                f"{value!r} is not NAME=KIND with KIND one of {', '.join(TOPOLOGIES)}{hint}",
                param_hint="--topology",
            )
        found[name] = kind
    return found


def _context(path: str | None) -> str | None:
    from nginxaudit.syntax.fragments import context_of_path

    if path is not None:
        try:
            context_of_path(path)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--context") from None
    return path
