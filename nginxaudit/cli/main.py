"""The command ``nginxaudit``: which subcommands there are, and what becomes of errors."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module

import click

import nginxaudit
from nginxaudit.cli.help import Untranslated
from nginxaudit.cli.occasion import WRITTEN
from nginxaudit.cli.streams import CommandError, discard_output, print_out, say

EXIT_USAGE = 2
EXIT_INTERNAL = 4
_COMMANDS = (
    "scan",
    "trace",
    "expect",
    "compare",
    "upstreams",
    "drill",
    "graph",
    "baseline",
    "rules",
    "explain",
    "advisories",
    "init",
    "completion",
)
_ALIASES = {"check": "scan", "lint": "scan"}  # what other tools call it
_ISSUES = f"{nginxaudit.HOME}/issues"


class _Commands(Untranslated, click.Group):
    """Subcommands in a file each, imported when they are used."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[WRITTEN] = ("nginxaudit", *args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        name = _ALIASES.get(name, name)
        if name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"nginxaudit.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from nginxaudit.suggest import did_you_mean

            near = did_you_mean(args[0], (*_COMMANDS, *_ALIASES)) or "."
            hint = f" To scan it: nginxaudit scan {args[0]}" if os.path.exists(args[0]) else ""
            raise click.UsageError(f"{error.message.rstrip('.')}{near}{hint}", ctx) from None


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        print_out(f"nginxaudit, version {nginxaudit.__version__}")
        ctx.exit()


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    "-V",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Find problems in NGINX configurations before the reload.

    nginxaudit reads configurations as nginx does and reports whether they will load, whether they are
    safe, and whether the load balancing survives an instance that dies, hangs or is restarted.

    \b
    Start with:
      nginxaudit scan /etc/nginx        problems of this host
      nginx -T | nginxaudit scan -      the running configuration, from anywhere
      nginxaudit trace URL              what happens to a request, and why
      nginxaudit compare OLD NEW        which requests behave differently after a change
      nginxaudit upstreams /etc/nginx   how every upstream balances and fails over
      nginxaudit drill /etc/nginx       what is lost when a server fails or is restarted
      nginxaudit graph /etc/nginx       request flow, from socket to backend
      nginxaudit scan --diff nginx.conf what could be fixed, as a diff
      nginxaudit rules                  all rules
      nginxaudit explain missing-listen why a rule matters, with examples

    """
    if ctx.invoked_subcommand is None:
        print_out(ctx.get_help())


def run() -> int:
    """Run the command line and return one of the documented exit codes: never a traceback for the user."""
    try:
        code = main(standalone_mode=False, prog_name="nginxaudit")
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        _show(error)
        code = error.exit_code
    except BrokenPipeError:
        # The reader of --help has seen enough (`| head`).
        discard_output()
        code = 0
    except Exception as error:
        if os.environ.get("NGINXAUDIT_DEBUG"):
            raise
        with suppress(CommandError):
            say(f"nginxaudit: internal error: {type(error).__name__}: {error}", error=True)
            say(f"This is a bug. Please report it: {_ISSUES} (NGINXAUDIT_DEBUG=1 shows where)", error=True)
        code = EXIT_INTERNAL
    return code if isinstance(code, int) else 0


def _show(error: click.ClickException) -> None:
    """Show an error; it may quote a path, a key or a name of a stranger."""
    from nginxaudit.report.logs import without_commands
    from nginxaudit.report.sanitize import visible

    message = without_commands(visible(error.format_message()))
    shown = (
        click.UsageError(message, error.ctx)
        if isinstance(error, click.UsageError)
        else click.ClickException(message)
    )
    with suppress(OSError):  # where it cannot be read, the exit code still says it
        shown.show()
