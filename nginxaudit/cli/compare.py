"""``nginxaudit compare``: which requests two configurations treat differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

import click

from nginxaudit.cli.asks import WORLD_OPTIONS
from nginxaudit.cli.options import settings_of, target_options
from nginxaudit.cli.output import COLORS, Output, output_options
from nginxaudit.cli.sections import Sectioned
from nginxaudit.views.compare import FORMATS

if TYPE_CHECKING:
    from nginxaudit.model import Model
    from nginxaudit.views.compare.view import Comparison


def _world_options(command: Any) -> Any:
    for option in reversed(WORLD_OPTIONS):
        command = option(command)
    return command


@click.command(
    "compare", cls=Sectioned, short_help="Show which requests two configurations treat differently."
)
@click.argument("old")
@click.argument("new")
@click.option("--from", "client", metavar="ADDRESS", help="The client's address (default: not known).")
@_world_options
@output_options(FORMATS)
@target_options
def command(old: str, new: str, **options: Any) -> int:
    """Show which requests two configurations treat differently.

    Makes requests of both: for every server name and location, the edges beside them, the methods,
    arguments and headers that conditions and maps read; walks each through both, as
    nginxaudit trace does, and groups what changed. OLD and NEW are files, directories, archives or
    dumps, one of them may be -. That no difference is found is no proof that there is none.

    \b
    Exit codes:
      0  no difference was found
      1  some request behaves differently
      2  wrong usage or settings
      3  some input could not be analysed (wins over 1)
      4  internal error

    \b
    Examples:
      nginxaudit compare old/nginx.conf new/nginx.conf
      git archive main nginx | nginxaudit compare - nginx
      nginxaudit compare --format markdown before.dump after.dump
    """
    from nginxaudit.engine.settings import SettingsError

    try:
        with Output(options["output"]) as output:
            before, lacking_before = _read(old, options)
            after, lacking_after = _read(new, options)
            comparison = _compared(before, after, (old, new), options)

            def tell(stream: TextIO) -> None:
                from nginxaudit.views.compare import render_comparison

                render_comparison(options["format_name"], comparison, stream, color=COLORS[options["color"]])

            output.write(tell, options["format_name"])
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    if lacking_before or lacking_after:
        return 3
    return int(bool(comparison.groups))


def _read(path: str, options: dict[str, Any]) -> tuple[list[Model], bool]:
    from nginxaudit.cli.trace import serving

    return serving((path,), settings_of((path,), options))


def _compared(
    before: list[Model], after: list[Model], names: tuple[str, str], options: dict[str, Any]
) -> Comparison:
    from msgspec.structs import replace

    from nginxaudit.cli.asks import world_of
    from nginxaudit.cli.trace import model_for
    from nginxaudit.request.differences import difference
    from nginxaudit.request.probes import probes
    from nginxaudit.request.walk import trace
    from nginxaudit.views.compare.view import comparison_of

    if not before or not after:
        return comparison_of(*names, [], 0)
    world = world_of({**options, "user": None}, None)
    asks = [replace(ask, client=options["client"]) for ask in probes([*before, *after])]
    found = []
    for ask in asks:
        old = trace(model_for(before, ask), ask, world, explain=False)
        new = trace(model_for(after, ask), ask, world, explain=False)
        different = difference(old, new)
        if different is not None:
            found.append(different)
    return comparison_of(*names, found, len(asks))
