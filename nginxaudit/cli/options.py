"""Options that several commands share: settings, each made from its field in `Settings`, and the settings file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, get_origin

import click

from nginxaudit.engine.annotations import choices, plain, spelled
from nginxaudit.engine.settings.record import READ, TARGET, Setting, Settings, all_settings

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_F = TypeVar("_F", bound=Callable[..., Any])
_MOST_JOBS = 256


def jobs_of(_: click.Context, __: click.Parameter, value: str) -> int | None:
    """The number of processes that ``--jobs`` asks for; None for ``auto``."""
    if value == "auto":
        return None
    if value.isascii() and value.isdigit() and len(value) < 4 and 1 <= int(value) <= _MOST_JOBS:
        return int(value)
    raise click.BadParameter(f"{value!r} is neither auto nor a number from 1 to {_MOST_JOBS}")


def setting_options(*headings: str, without: tuple[str, ...] = ()) -> Callable[[_F], _F]:
    """Add the options of all settings under ``headings``, and those for the settings file."""
    added = [
        _option(each)
        for each in all_settings()
        if each.option and each.heading in headings and each.name not in without
    ]

    def add(command: _F) -> _F:
        for option in reversed([*added, *_FILE]):
            command = option(command)
        return command

    return add


def target_options(command: _F) -> _F:
    """Add what every command needs that reads configurations."""
    return setting_options(TARGET, READ)(command)


def rule_options(command: _F) -> _F:
    """Add what a command needs that speaks of rules: where the user's own pages are."""
    names = tuple(each.name for each in all_settings() if each.name != "rules")
    return setting_options(READ, without=names)(command)


_FILE = [
    click.option("--settings", "--config", "settings_file", metavar="FILE", help="Use this settings file."),
    click.option("--no-settings", is_flag=True, help="Use no settings file."),
]


def _option(setting: Setting) -> Callable[[Any], Any]:
    """The option of a setting. Without it the value is None: what the settings file says holds."""
    spelling, _, metavar = setting.option.partition(" ")
    kind = plain(setting.annotation)
    words = choices(setting.annotation)
    if kind is bool:
        return click.option(spelling, setting.name, is_flag=True, default=None, help=setting.description)
    return click.option(
        spelling,
        setting.name,
        type=click.Choice(words) if words else kind if kind in (int, float) else None,
        metavar=metavar or None,
        multiple=get_origin(kind) in (tuple, Mapping),
        help=f"{setting.description} (default: {spelled(setting.default)})" if words else setting.description,
        shell_complete=_offered(setting),
    )


def _offered(
    setting: Setting,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]] | None:
    """What the shell offers for a setting's value; None: what its type says."""
    from nginxaudit.cli.complete import files, rule_names

    if setting.name in ("select", "ignore", "extend_select"):
        return rule_names
    return files if setting.paths else None


def settings_of(paths: tuple[str, ...], options: dict[str, Any], *, reads: bool = True) -> Settings:
    """Settings of the file that belongs to the paths, with the command line over them; ``reads``: they are read then.

    What is a list or a table is added to that of the file. Rules that the command line selects are all that run:
    what the file adds to them or takes away does not count then.
    """
    from msgspec.structs import replace

    from nginxaudit.engine.settings import discover, load

    if reads and not paths and options.get("nginx_v") != "-":
        from nginxaudit.cli.streams import is_fed

        if is_fed():
            raise click.UsageError(
                "standard input is a pipe, and no PATH is given: give - to read it, or . to scan this directory"
            )
    if options["settings_file"] is not None:
        settings = load(options["settings_file"])
    else:
        first = _first_path(paths, options.get("stdin_filename"))
        file = None if options["no_settings"] else discover(first)
        settings = load(file, found=True) if file else Settings()
    if not options.get("changed"):  # those may not be links out of the repository
        _say_links(paths)
    given = dict(_given(options))
    if "select" in given:
        settings = replace(settings, select=None, extend_select=(), ignore=())
    for name, value in given.items():
        before = getattr(settings, name)
        if isinstance(value, tuple):
            given[name] = value + (before or ())
        elif isinstance(value, dict):
            given[name] = {**before, **value}
    settings = replace(settings, **given, given=frozenset(given))
    if settings.nginx_v is None:
        return settings
    from nginxaudit.cli.built import as_built

    return as_built(settings, settings.nginx_v, paths)


def _given(options: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings that the command line names, with their values."""
    from nginxaudit.engine.tables import TableError, read

    for setting in all_settings():
        value = options.get(setting.name)
        value = _value(setting, value) if isinstance(value, tuple) else value
        if value is None or value == []:
            continue
        try:
            said = read(Settings, {setting.key: value})
        except TableError as error:
            hint = setting.option.partition(" ")[0]
            raise click.BadParameter(error.reason, param_hint=hint) from None
        yield setting.name, getattr(said, setting.name)


def _value(setting: Setting, words: tuple[str, ...]) -> Any:
    """The words of an option that may be repeated, as a settings file has them."""
    if setting.name == "upstreams":
        return dict(map(_topology, words)) or []
    if setting.paths or setting.whole:
        return list(words)
    return [name.strip() for each in words for name in each.split(",") if name.strip()]


def _topology(text: str) -> tuple[str, dict[str, str]]:
    name, equals, kind = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not NAME=KIND", param_hint="--topology")
    return name, {"topology": kind}


def _say_links(paths: tuple[str, ...]) -> None:
    """Say what is read in the place of paths that are links: a repository may hold some to anywhere."""
    from nginxaudit.cli.streams import say
    from nginxaudit.source.read import ReadError
    from nginxaudit.source.repository import led_to

    for path in paths:
        with suppress(ReadError, OSError):  # reported where it is read; the working directory may be gone
            real = led_to(path) if path != "-" else None
            if real is not None:
                say(f"{path} is a symbolic link: {real} is read", error=True)


def _first_path(paths: tuple[str, ...], stdin_filename: str | None) -> str:
    first = next((path for path in paths if path != "-"), None)
    return first or stdin_filename or "."
