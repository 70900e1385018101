"""The option ``--help``, and what is suggested for options and values that there are not."""

from __future__ import annotations

import re

import click

from nginxaudit.cli.streams import print_out

_OTHERS = {
    "--severity": "--min-severity", "--level": "--min-severity", "--min-level": "--min-severity",
    "--confidence": "--min-confidence", "--rule": "--select", "--enable": "--select", "--only": "--select", "--include": "--select",
    "--disable": "--ignore", "--skip": "--ignore", "--skips": "--ignore", "--ignore-rule": "--ignore", "--ignore-path": "--exclude",
    "--dry-run": "--diff", "--check": "--diff", "--write": "--fix", "--apply": "--fix", "--no-exit-codes": "--exit-zero",
    "--failure-threshold": "--fail-on", "--no-colour": "--no-color", "--colour": "--color", "--config-file": "--settings",
    "--list": "nginxaudit rules", "--list-rules": "nginxaudit rules", "--explain": "nginxaudit explain RULE",
    "--json": "--format json", "--sarif": "--format sarif", "--html": "--format html", "--full": "--verbose",
}  # fmt: skip
"""What other linters call it."""
_CHOICE = re.compile(r"'(.*)' is not one of ", re.DOTALL)


class Untranslated(click.Command):
    """A command whose ``--help`` speaks English: click would look for translations at every start, which takes longer
    than most imports.
    """

    _help: click.Option | None = None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; one that there is not is an error with the one that may be meant."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            near = _meant(error.option_name, self._options(ctx))
            raise click.UsageError(f"No such option '{error.option_name}'{near}", ctx) from None
        except click.BadParameter as error:
            choice = error.param.type if error.param is not None else None
            typed = _CHOICE.match(error.message)
            if isinstance(choice, click.Choice) and typed is not None:
                from nginxaudit.suggest import did_you_mean

                near = did_you_mean(typed[1], map(str, choice.choices))
                if near:
                    text = error.message.rstrip(".") + near
                    raise click.BadParameter(text, error.ctx, error.param, error.param_hint) from None
            raise

    def _options(self, ctx: click.Context) -> list[str]:
        return [name for param in self.get_params(ctx) for name in (*param.opts, *param.secondary_opts)]

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
        print_out(ctx.get_help(), color=ctx.color)
        ctx.exit()


def _meant(option: str, known: list[str]) -> str:
    """What ``option`` may be meant to be, to append to a message."""
    other = _OTHERS.get(option, "")
    if other.startswith("nginxaudit") or other.partition(" ")[0] in known:
        return f'; did you mean "{other}"?'
    from nginxaudit.suggest import did_you_mean

    return did_you_mean(option, [name for name in known if name.startswith("--")]) or "."
