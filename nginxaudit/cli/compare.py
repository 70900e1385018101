"""``nginxaudit compare``: which requests two configurations treat differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

import click

from nginxaudit.cli.asks import WORLD_OPTIONS
from nginxaudit.cli.options import settings_of, target_options
from nginxaudit.cli.output import COLORS, Output, output_options
from nginxaudit.cli.sections import Sectioned
from nginxaudit.cli.streams import CommandError
from nginxaudit.views.compare import FORMATS

if TYPE_CHECKING:
    from nginxaudit.model import Model
    from nginxaudit.views.compare.view import Comparison


def _world_options(command: Any) -> Any:
    for option in reversed(WORLD_OPTIONS):
        command = option(command)
    return command


@click.command(
    "compare", cls=Sectioned, short_help="Show which requests behave differently in two configurations."
)
@click.argument("paths", nargs=-1, metavar="OLD NEW | --git REV [PATH]")
@click.option(
    "--git",
    "revision",
    metavar="REV",
    help="Compare a git revision with the working tree, or two: REV..REV, REV...REV (from where they parted).",
)
@click.option("--from", "client", metavar="ADDRESS", help="The client's address (default: not known).")
@_world_options
@output_options(FORMATS)
@target_options
def command(paths: tuple[str, ...], revision: str | None, **options: Any) -> int:
    """Show which requests behave differently in two configurations.

    Derives requests from both: for every server name and location, for paths that just match or do not
    match, and with the methods, arguments and headers that conditions and maps read; walks each through
    both, as nginxaudit trace does, and groups the differences. OLD and NEW are files, directories, archives or
    dumps; one of them may be -. With --git, PATH is a file or directory (default: .) of a repository;
    its files at the revision are read from git, and nothing is checked out. Finding no difference does not prove
    that there is none.

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
      nginxaudit compare --git main nginx
      nginxaudit compare --git origin/main...HEAD --format markdown
      nginxaudit compare --format markdown before.dump after.dump
    """
    from nginxaudit.cli.serving import sources_of
    from nginxaudit.engine.settings import SettingsError

    if len(paths) != 2 and (revision is None or len(paths) > 1):
        raise click.UsageError("give OLD and NEW, or --git REV and at most one PATH")
    if revision is not None and len(paths) > 1:
        raise click.UsageError("--git takes one PATH")
    try:
        with Output(options["output"]) as output:
            if revision is None:
                names = paths[0], paths[1]
                sides = [_read(path, options) for path in paths]
            else:
                names, sides = _of_git(revision, paths[0] if paths else ".", options)
            (before, lacking_before), (after, lacking_after) = sides
            output.require_apart(sources_of([*before, *after]))
            comparison = _compared(before, after, names, options)

            def tell(stream: TextIO) -> None:
                from nginxaudit.views.compare import render_comparison

                render_comparison(options["format_name"], comparison, stream, color=COLORS[options["color"]])

            output.write(tell, options["format_name"])
    except SettingsError as error:
        raise CommandError(str(error)) from None
    if lacking_before or lacking_after or not comparison.count:
        return 3
    return int(bool(comparison.groups))


def _of_git(
    text: str, path: str, options: dict[str, Any]
) -> tuple[tuple[str, str], list[tuple[list[Model], bool]]]:
    """Both sides of ``--git``: a revision, and another one or the working tree."""
    from nginxaudit.source.revision import parse_range

    wanted = parse_range(text)
    old = _at(wanted.old, path, options, parted_from=wanted.new if wanted.forked else None)
    new = _read(path, options) if wanted.new is None else _at(wanted.new, path, options)
    return (wanted.old, wanted.new or path), [old, new]


def _at(
    revision: str, path: str, options: dict[str, Any], *, parted_from: str | None = None
) -> tuple[list[Model], bool]:
    """The configurations of a revision below a directory, or the one whose main file ``path`` is."""
    import os

    from msgspec.structs import replace

    from nginxaudit.cli.serving import serving
    from nginxaudit.source.read import ReadError
    from nginxaudit.source.revision import archive

    is_file = not os.path.isdir(path)
    directory = os.path.dirname(path) if is_file else path
    settings = replace(settings_of((path,), options), stdin_filename=revision)
    try:
        packed = archive(revision, directory or ".", settings.limits, parted_from=parted_from)
    except ReadError as error:
        raise click.UsageError(f"--git: {error}" + (f". {error.remedy}" if error.remedy else "")) from None
    return serving(("-",), settings, packed, os.path.basename(path) if is_file else None)


def _read(path: str, options: dict[str, Any]) -> tuple[list[Model], bool]:
    from nginxaudit.cli.serving import serving

    return serving((path,), settings_of((path,), options))


def _compared(
    before: list[Model], after: list[Model], names: tuple[str, str], options: dict[str, Any]
) -> Comparison:
    from msgspec.structs import replace

    from nginxaudit.cli.asks import world_of
    from nginxaudit.cli.serving import model_for
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
