"""``nginxaudit init``: a settings file to begin with."""

from __future__ import annotations

import json
import os

import click

from nginxaudit.cli.help import Untranslated
from nginxaudit.cli.output import write_text
from nginxaudit.cli.streams import CommandError, print_out, say


@click.command("init", cls=Untranslated, short_help="Write a commented settings file.")
@click.argument("directory", default=".", type=click.Path(exists=True, file_okay=False))
@click.option("--json-schema", is_flag=True, help="Print the JSON Schema of the settings file instead.")
def command(directory: str, json_schema: bool) -> int:
    """Write `nginxaudit.toml` to DIRECTORY (default: here), with every setting explained in a comment.

    An existing file is not changed. Editors that know TOML schemas complete and check it.
    """
    from nginxaudit.engine.settings import FILE_NAME
    from nginxaudit.engine.settings.document import sample, schema

    if json_schema:
        from nginxaudit.engine.rules.catalogue import builtin

        print_out(json.dumps(schema(builtin()), indent=1))
        return 0
    path = os.path.join(directory, FILE_NAME)
    if os.path.lexists(path):
        raise CommandError(f"{path} exists already and is left as it is")
    write_text(path, sample())
    say(f"wrote {path}")
    return 0
