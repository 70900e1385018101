"""The option ``--help``."""

from __future__ import annotations

import click


class Untranslated(click.Command):
    """A command whose ``--help`` speaks English: click would look for translations at every start, which takes longer
    than most imports.
    """

    _help: click.Option | None = None

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The option, always the same one."""
        if self._help is None:
            self._help = click.Option(
                list(self.get_help_option_names(ctx)),
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_help,
                help="Show this message and exit.",
            )
        return self._help


def _show_help(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()
