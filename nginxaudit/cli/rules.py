"""``nginxaudit rules``: what it looks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from nginxaudit.cli.catalogue import rules_of
from nginxaudit.cli.complete import rule_names
from nginxaudit.cli.help import Untranslated
from nginxaudit.cli.options import rule_options
from nginxaudit.cli.output import list_option
from nginxaudit.cli.streams import CommandError, writing
from nginxaudit.finding import Severity

if TYPE_CHECKING:
    from nginxaudit.engine.rules.rule import Rule


@click.command("rules", cls=Untranslated, short_help="List the rules.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=rule_names)
@list_option
@click.option(
    "--severity", type=click.Choice([each.label for each in Severity]), help="Only rules of this severity."
)
@click.option(
    "--default/--opt-in", "default", default=None, help="Only rules that are on, or off, by default."
)
@click.option(
    "--coverage",
    is_flag=True,
    help="For each check of other tools: the rules that find the same. Takes no NAME.",
)
@click.option(
    "--standards",
    is_flag=True,
    help="For each control of a standard (CIS, STIG, OWASP, PCI DSS): the rules that check it. Takes no NAME.",
)
@rule_options
def command(
    names: tuple[str, ...],
    format_name: str,
    severity: str | None,
    default: bool | None,
    coverage: bool,
    standards: bool,
    **options: Any,
) -> None:
    """List the rules, or those that NAME (slug, id, category or tag) matches.

    \b
    Examples:
      nginxaudit rules upstream
      nginxaudit rules --severity error
      nginxaudit rules --format json | jq '.rules[].rule'
      nginxaudit rules --coverage
      nginxaudit rules --standards
      nginxaudit rules --rules lint/rules
    """
    from nginxaudit.engine.rules.selection import slugs
    from nginxaudit.engine.settings import SettingsError
    from nginxaudit.report.logs import without_commands

    if coverage or standards:
        option = "--coverage" if coverage else "--standards"
        if names or severity is not None or default is not None or (coverage and standards):
            raise click.UsageError(f"{option} lists all rules: it can be combined with --format only")
        _print_coverage(format_name) if coverage else _print_standards(format_name)
        return
    catalogue = rules_of(options)
    try:
        wanted = slugs(catalogue, names or ("ALL",), "rules")
    except SettingsError as error:
        raise CommandError(str(error)) from None
    rules = [
        rule
        for rule in catalogue
        if rule.slug in wanted
        and (severity is None or rule.severity.label == severity)
        and (default is None or rule.default is default)
    ]
    with writing():
        text = _as_json(rules) if format_name == "json" else _as_text(rules)
        click.echo(without_commands(text, format_name))


def _print_coverage(format_name: str) -> None:
    from nginxaudit.engine.rules.coverage import coverage

    tools = coverage()
    with writing():
        if format_name == "json":
            listed = [{"tool": each.name, "version": each.version, "checks": each.checks} for each in tools]
            click.echo(json.dumps({"schema_version": 1, "tools": listed}, indent=2))
            return
        for tool in tools:
            click.echo(click.style(f"{tool.name} {tool.version}", bold=True))
            width = max(map(len, tool.checks))
            for check, rules in tool.checks.items():
                click.echo(f"  {check:<{width}}  {', '.join(rules)}")
            click.echo("")


def _print_standards(format_name: str) -> None:
    from nginxaudit.engine.rules.standards import standards

    with writing():
        if format_name == "json":
            listed = [
                {
                    "standard": name,
                    "title": each.title,
                    "version": each.version,
                    "url": each.url,
                    "controls": {
                        number: {"title": control.title, "rules": list(control.rules)}
                        for number, control in each.controls.items()
                    },
                }
                for name, each in standards().items()
            ]
            click.echo(json.dumps({"schema_version": 1, "standards": listed}, indent=2))
            return
        for name, each in standards().items():
            click.echo(click.style(f"{name}: {each.title} {each.version}", bold=True))
            width = max(map(len, each.controls))
            for number, control in each.controls.items():
                rules = ", ".join(control.rules) or "not checked"
                click.echo(f"  {number:<{width}}  {control.title}: {rules}")
            click.echo("")


def rule_as_data(rule: Rule) -> dict[str, Any]:
    """A rule as plain data."""
    from nginxaudit.engine.rules.standards import controls_of

    return {
        "id": rule.id,
        "rule": rule.slug,
        "category": rule.category,
        "title": rule.title,
        "severity": rule.severity.label,
        "confidence": rule.confidence.label,
        "default": rule.default,
        "rejected_by_nginx": rule.rejected_by_nginx,
        "fix": rule.fix,
        "tags": list(rule.tags),
        "cwe": list(rule.cwe),
        "standards": controls_of(rule.slug),
        "since": rule.since,
        "edition": rule.edition,
        "nginx_since": rule.nginx_since,
        "nginx_until": rule.nginx_until,
        "own": rule.own,
        "options": {
            name: {
                "type": option.type,
                "default": option.default,
                "description": option.description,
            }
            for name, option in rule.options.items()
        },
        "references": list(rule.references),
    }


def _as_json(rules: list[Rule]) -> str:
    return json.dumps({"schema_version": 1, "rules": list(map(rule_as_data, rules))}, indent=2)


def _as_text(rules: list[Rule]) -> str:
    from nginxaudit.report.sanitize import visible

    lines: list[str] = []
    width = max((len(rule.slug) for rule in rules), default=0)
    category = None
    for rule in sorted(rules, key=lambda each: (each.category, each.id)):
        if rule.category != category:
            category = rule.category
            heading = click.style(visible(category), bold=True)
            lines += ["", heading] if lines else [heading]
        opt_in = "" if rule.default else " (opt-in)"
        line = f"  {rule.id}  {rule.slug:<{width}}  {rule.severity.label:<7}  {rule.title}{opt_in}"
        lines.append(visible(line))
    lines += ["", f"{len(rules)} rule{'s' * (len(rules) != 1)}. Explain one: nginxaudit explain NAME"]
    return "\n".join(lines)
