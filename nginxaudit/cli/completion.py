"""``nginxaudit completion``: completion of commands and options in the shell."""

from __future__ import annotations

import os

import click
from click.shell_completion import get_completion_class

from nginxaudit.cli.help import Untranslated
from nginxaudit.cli.output import write_text
from nginxaudit.cli.streams import CommandError, print_out, say

_PROGRAM = "nginxaudit"
_VARIABLE = "_NGINXAUDIT_COMPLETE"
_PLACES = {
    "bash": "~/.local/share/bash-completion/completions/nginxaudit",
    "zsh": "~/.local/share/zsh/site-functions/_nginxaudit",
    "fish": "~/.config/fish/completions/nginxaudit.fish",
}


@click.command("completion", cls=Untranslated, short_help="Print or install completion for a shell.")
@click.argument("shell", type=click.Choice(list(_PLACES)), required=False)
@click.option("--install", is_flag=True, help="Write it to where the shell looks for it.")
@click.pass_context
def command(context: click.Context, shell: str | None, install: bool) -> int:
    """Print the completion script for SHELL (default: the one that runs), or install it.

    \b
    Examples:
      nginxaudit completion --install
      nginxaudit completion bash > /etc/bash_completion.d/nginxaudit
    """
    name = shell or os.path.basename(os.environ.get("SHELL", ""))
    if name not in _PLACES:
        raise click.UsageError(f"which shell? give one of {', '.join(_PLACES)}")
    kind = get_completion_class(name)
    assert kind is not None
    script = _script(kind(context.find_root().command, {}, _PROGRAM, _VARIABLE))
    if not install:
        print_out(script)
        return 0
    path = os.path.expanduser(_PLACES[name])
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror}") from None
    write_text(path, script)
    say(f"wrote {path}; it works in new shells")
    if name == "zsh":
        say(f"zsh finds it when {os.path.dirname(_PLACES[name])} is in fpath, before compinit")
    return 0


def _script(completion: click.shell_completion.ShellComplete) -> str:
    """The script, without asking for the version of a shell that may not be here."""
    return completion.source_template % completion.source_vars()
