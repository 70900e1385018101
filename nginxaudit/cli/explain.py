"""``nginxaudit explain``: the page of a rule."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from nginxaudit.cli.catalogue import rules_of
from nginxaudit.cli.options import rule_options
from nginxaudit.cli.streams import writing


@click.command("explain", short_help="Explain a rule, with examples.")
@click.argument("name", metavar="RULE")
@rule_options
def command(name: str, **options: Any) -> None:
    """Explain RULE (slug or id): what it finds, why it matters, how to fix it, when to ignore it.

    \b
    Examples:
      nginxaudit explain active-passive-missing-backup
      nginxaudit explain NGX3001
    """
    from nginxaudit.engine.rules.pages import read_page
    from nginxaudit.suggest import did_you_mean

    catalogue = rules_of(options)
    rule = catalogue.get(name)
    if rule is None:
        raise click.UsageError(
            f'there is no rule "{name}"{did_you_mean(name, catalogue.names)} (nginxaudit rules lists them all)'
        )
    facts = [
        f"{rule.id} ({rule.category})",
        f"severity: {rule.severity.label}",
        f"confidence: {rule.confidence.label}",
        "on by default" if rule.default else "opt-in",
        "nginx refuses to load it" if rule.rejected_by_nginx else "",
        f"fix: {rule.fix}" if rule.fix != "none" else "",
        f"for {rule.scope}" if rule.scope else "",
        "your own page" if rule.own else f"since {rule.since}",
    ]
    title, _, body = read_page(rule).body.lstrip().partition("\n")
    text = f"{title}\n\n{' · '.join(filter(None, facts))}\n{body}".rstrip()
    if rule.options:
        text += "\n\n## Options\n\n" + "\n".join(
            f"- `{name}` ({option.type}, default {json.dumps(option.default)}): {option.description}"
            for name, option in rule.options.items()
        )
    if rule.references:
        text += "\n\n## References\n\n" + "\n".join(f"- {link}" for link in rule.references)
    with writing():
        _print(text, own=rule.own)


def _print(text: str, *, own: bool) -> None:
    """The Markdown ``text`` itself for pipes and files, laid out on a terminal; a page of our ``own`` may be a stranger's."""
    from nginxaudit.report.logs import without_commands
    from nginxaudit.report.sanitize import visible

    if sys.stdout is None or not sys.stdout.isatty():
        click.echo(without_commands("\n".join(map(visible, text.split("\n")))))
        return
    from rich.console import Console
    from rich.markdown import Markdown

    from nginxaudit.report.pages import harmless_markdown

    page = Markdown(harmless_markdown(text) if own else text, hyperlinks=not own)
    Console(width=min(100, Console().width)).print(page)
