"""``nginxaudit explain``: the pages of rules."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from nginxaudit.cli.catalogue import rules_of
from nginxaudit.cli.complete import rule_names
from nginxaudit.cli.help import Untranslated
from nginxaudit.cli.options import rule_options
from nginxaudit.cli.streams import CommandError, writing

if TYPE_CHECKING:
    from nginxaudit.engine.rules.catalogue import Catalogue
    from nginxaudit.engine.rules.rule import Rule

_LABELS = {"bad": "Bad", "good": "Good", "fixed": "Fixed"}
_EXAMPLE = re.compile(r"^```nginx (bad|good|fixed)\b *(.*)$", re.MULTILINE)


@click.command("explain", cls=Untranslated, short_help="Explain rules, with examples.")
@click.argument("names", metavar="RULE...", nargs=-1, required=True, shell_complete=rule_names)
@click.option(
    "--format",
    "--output-format",
    "-f",
    "format_name",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="How it is written; text is laid out on a terminal, and Markdown elsewhere.",
)
@rule_options
def command(names: tuple[str, ...], format_name: str, **options: Any) -> None:
    """Explain each RULE (slug or id): what it finds, why it matters, how to fix it, when to ignore it.

    \b
    Examples:
      nginxaudit explain active-passive-missing-backup
      nginxaudit explain NGX3001 NGX3002
      nginxaudit explain --format json missing-listen
    """
    catalogue = rules_of(options)
    rules = list({rule.slug: rule for rule in (_found(name, catalogue) for name in names)}.values())
    with writing():
        if format_name == "json":
            _print_json(rules)
        else:
            text = "\n\n---\n\n".join(map(_page, rules))
            own = any(rule.own for rule in rules)
            _print(text, own=own, plain=format_name == "markdown")


def _found(name: str, catalogue: Catalogue) -> Rule:
    rule = catalogue.get(name)
    if rule is None:
        from nginxaudit.suggest import did_you_mean

        near = did_you_mean(name, catalogue.names)
        raise CommandError(f'there is no rule "{name}"{near} (nginxaudit rules lists them all)')
    return rule


def _page(rule: Rule) -> str:
    """The page of a rule as Markdown, with what its front matter says and labels of its examples."""
    from nginxaudit.engine.rules.pages import read_page

    facts = [
        rule.slug,
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
    text = f"{title}\n\n{' · '.join(filter(None, facts))}\n{_labelled(body)}".rstrip()
    if rule.options:
        text += "\n\n## Options\n\n" + "\n".join(
            f"- `{name}` ({option.type}, default {json.dumps(option.default)}): {option.description}"
            for name, option in rule.options.items()
        )
    text += _standards(rule)
    if rule.references:
        text += "\n\n## References\n\n" + "\n".join(f"- {link}" for link in rule.references)
    return text


def _standards(rule: Rule) -> str:
    """The controls of standards that a finding breaks, and the weaknesses that it is."""
    from nginxaudit.engine.rules.standards import broken_by, standards

    known = standards()
    lines = [
        f"- {known[name].title} {known[name].version}, {number}: {known[name].controls[number].title}"
        for name, number in broken_by(rule.slug)
    ]
    lines += [f"- CWE-{number}: https://cwe.mitre.org/data/definitions/{number}.html" for number in rule.cwe]
    return "\n\n## Standards\n\n" + "\n".join(lines) if lines else ""


def _controls(rule: Rule) -> list[dict[str, str]]:
    """The same for programs, without the weaknesses."""
    from nginxaudit.engine.rules.standards import broken_by, standards

    known = standards()
    return [
        {
            "standard": name,
            "title": known[name].title,
            "version": known[name].version,
            "control": number,
            "description": known[name].controls[number].title,
        }
        for name, number in broken_by(rule.slug)
    ]


def _labelled(body: str) -> str:
    """``body`` with a line above each example that says what it is, and for which nginx or options."""

    def label(match: re.Match[str]) -> str:
        more = f" ({match[2].strip()})" if match[2].strip() else ""
        return f"**{_LABELS[match[1]]}**{more}\n\n```nginx"

    return _EXAMPLE.sub(label, body)


def _print_json(rules: list[Rule]) -> None:
    from nginxaudit.cli.rules import rule_as_data
    from nginxaudit.engine.rules.pages import read_page
    from nginxaudit.report.logs import without_commands

    listed = []
    for rule in rules:
        page = read_page(rule)
        examples = [
            {"kind": each.kind, "text": each.text, "fixed": each.fixed, "files": dict(each.files)}
            for each in page.examples
        ]
        words: dict[str, Any] = {"what": rule.what, "why": rule.why, "remedy": rule.remedy, "url": rule.url}
        words["controls"] = _controls(rule)
        listed.append({**rule_as_data(rule), **words, "page": page.body, "examples": examples})
    click.echo(without_commands(json.dumps({"schema_version": 1, "rules": listed}, indent=2), "json"))


def _print(text: str, *, own: bool, plain: bool) -> None:
    """The Markdown ``text`` itself for pipes and files, laid out on a terminal; a page of our ``own`` may be a stranger's."""
    from nginxaudit.report.logs import without_commands
    from nginxaudit.report.sanitize import visible

    if plain or sys.stdout is None or not sys.stdout.isatty():
        # to the stream itself: click would write UTF-8 where the encoding is ASCII
        click.echo(without_commands("\n".join(map(visible, text.split("\n")))), file=sys.stdout)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    from nginxaudit.report.pages import harmless_markdown

    page = Markdown(harmless_markdown(text) if own else text, hyperlinks=not own)
    Console(width=min(100, Console().width)).print(page)
