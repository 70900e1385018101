"""Options that several commands share: what is read, and for which nginx."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from nginxaudit.engine.settings import Settings

_F = TypeVar("_F", bound=Callable[..., Any])
_MOST_JOBS = 256


def jobs_of(_: click.Context, __: click.Parameter, value: str) -> int | None:
    """The number of processes that ``--jobs`` asks for; None for ``auto``."""
    if value == "auto":
        return None
    if value.isascii() and value.isdigit() and len(value) < 4 and 1 <= int(value) <= _MOST_JOBS:
        return int(value)
    raise click.BadParameter(f"{value!r} is neither auto nor a number from 1 to {_MOST_JOBS}")


_OPTIONS = [
    click.option(
        "--nginx-version", metavar="X.Y.Z", help="The nginx the configuration is for (default: newest known)."
    ),
    click.option(
        "--edition", type=click.Choice(["oss", "plus"]), help="Open source (default) or NGINX Plus."
    ),
    click.option(
        "--module", multiple=True, metavar="NAME", help="A third-party module that is loaded, e.g. lua."
    ),
    click.option(
        "--topology",
        multiple=True,
        metavar="NAME=KIND",
        help="What an upstream is meant to be: active-active or active-passive. NAME may be a glob.",
    ),
    click.option("--context", metavar="BLOCKS", help="Where a fragment belongs, e.g. http,server."),
    click.option(
        "--fragments",
        is_flag=True,
        default=None,
        help="Also analyse files of a directory that no configuration includes.",
    ),
    click.option("--stdin-filename", metavar="PATH", help="Name of the text read from standard input."),
    click.option(
        "--prefix", metavar="DIR", help="Where the scanned tree is installed, for absolute includes."
    ),
    click.option(
        "--allow-outside",
        is_flag=True,
        default=None,
        help="Let includes be read that lie outside the scanned directory.",
    ),
    click.option("--settings", "settings_file", metavar="FILE", help="Use this settings file."),
    click.option("--no-settings", is_flag=True, help="Use no settings file."),
]


def target_options(command: _F) -> _F:
    """Add the options to a click command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def settings_of(paths: tuple[str, ...], options: dict[str, Any]) -> Settings:
    """Settings of the file that belongs to the paths, with the command line over them."""
    from msgspec.structs import replace

    from nginxaudit.engine.settings import Settings, discover, load
    from nginxaudit.finding import Confidence, Severity

    if options["settings_file"]:
        settings = load(options["settings_file"])
    else:
        file = None if options["no_settings"] else discover(_first_path(paths, options["stdin_filename"]))
        settings = load(file, found=True) if file else Settings()
    if not options.get("changed"):  # those may not be links out of the repository
        _say_links(paths)
    fail_on = options.get("fail_on")
    if fail_on:
        settings = replace(settings, fail_on=None if fail_on == "never" else Severity[fail_on.upper()])
    return settings.with_options(
        target=_target(settings, options),
        select=_split(options.get("select", ())) or None,
        extend_select=_split(options.get("extend_select", ())) + settings.extend_select,
        ignore=_split(options.get("ignore", ())) + settings.ignore,
        rule_directories=options.get("rule_directories", ()) + settings.rule_directories,
        topologies={**settings.topologies, **_topologies(options["topology"])},
        context=_context(options["context"]),
        fragments=options["fragments"],
        allow_outside=options["allow_outside"],
        check_files=options.get("check_files"),
        baseline=options.get("baseline"),
        changed=options.get("changed"),
        prefix=options["prefix"],
        stdin_filename=options["stdin_filename"],
        min_severity=_level(Severity, options.get("min_severity")),
        min_confidence=_level(Confidence, options.get("min_confidence")),
    )


def _say_links(paths: tuple[str, ...]) -> None:
    """Say what is read in the place of paths that are links: a repository may hold some to anywhere."""
    from nginxaudit.report.sanitize import visible
    from nginxaudit.source.read import ReadError
    from nginxaudit.source.repository import led_to

    for path in paths:
        with suppress(ReadError):
            real = led_to(path) if path != "-" else None
            if real is not None:
                click.echo(visible(f"{path} is a symbolic link: {real} is read"), err=True)


def _first_path(paths: tuple[str, ...], stdin_filename: str | None) -> str:
    first = next((path for path in paths if path != "-"), None)
    return first or stdin_filename or "."


def _target(settings: Settings, options: dict[str, Any]) -> Any:
    from msgspec.structs import replace

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
    from nginxaudit.suggest import did_you_mean

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


def _level(kind: Any, name: str | None) -> Any:
    return kind[name.upper()] if name else None
