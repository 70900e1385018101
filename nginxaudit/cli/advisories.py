"""``nginxaudit advisories``: which flaws of nginx are known, and what must be configured for them to be reached."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from nginxaudit.cli.help import Untranslated
from nginxaudit.cli.options import setting_options, settings_of
from nginxaudit.cli.output import list_option
from nginxaudit.cli.streams import CommandError, writing
from nginxaudit.engine.settings.record import RULES, TARGET, all_settings

if TYPE_CHECKING:
    from nginxaudit.nginx import Advisories, Advisory, Target

_OWN = ("nginx_version", "edition", "advisories")
_OTHERS = tuple(each.name for each in all_settings() if each.name not in _OWN)


@click.command("advisories", cls=Untranslated, short_help="List the security advisories that are known.")
@click.argument("names", nargs=-1, metavar="[CVE]...")
@list_option
@setting_options(TARGET, RULES, without=_OTHERS)
def command(names: tuple[str, ...], format_name: str, **options: Any) -> None:
    """List the advisories, or those that are named, newest first; with a version, those that affect it.

    \b
    Examples:
      nginxaudit advisories
      nginxaudit advisories --nginx-version 1.30.4
      nginxaudit advisories CVE-2026-123007
      nginxaudit advisories --format json | jq '.advisories[].id'
      nginxaudit advisories --advisories newer.json
    """
    from nginxaudit.engine.run.advisories import advisories_of
    from nginxaudit.engine.settings import SettingsError
    from nginxaudit.report.logs import without_commands
    from nginxaudit.suggest import did_you_mean

    try:
        settings = settings_of((), options)
        known = advisories_of(settings)()
    except SettingsError as error:
        raise CommandError(str(error)) from None
    ids = {each.cve.casefold(): each for each in known.entries}
    for name in names:
        if name.casefold() not in ids:
            near = did_you_mean(name, [each.cve for each in known.entries])
            raise CommandError(f"no advisory {name} is known (up to {known.date}){near}")
    wanted = {name.casefold() for name in names}
    target = settings.target if settings.knows_version else None
    entries = [
        each
        for each in known.entries
        if (not wanted or each.cve.casefold() in wanted) and (target is None or each.affects(target))
    ]
    with writing():
        text = _json(known, entries, target) if format_name == "json" else _text(known, entries, target)
        click.echo(without_commands(text, format_name))


def _json(known: Advisories, entries: list[Advisory], target: Target | None) -> str:
    from nginxaudit.nginx import format_version

    document = {
        "schema_version": 1,
        "date": known.date,
        "nginx_version": None if target is None else format_version(target.version),
        "advisories": [_entry(each) for each in entries],
    }
    return json.dumps(document, indent=2)


def _entry(each: Advisory) -> dict[str, Any]:
    from nginxaudit.nginx.advisories import bounds

    return {
        "id": each.cve,
        "severity": each.severity,
        "title": each.title,
        "component": each.condition.component,
        "published": each.published,
        "affected": [{"introduced": first, "fixed": fixed} for first, fixed in map(bounds, each.affected)],
        "plus": [{"introduced": first, "fixed": fixed} for first, fixed in each.plus],
        "fixed": list(each.fixed),
        "needs": list(each.condition.needs),
        "needs_all": list(each.condition.needs_all),
        "together": list(each.condition.together),
        "platform": each.condition.platform,
        "note": each.note,
        "url": each.url,
    }


def _text(known: Advisories, entries: list[Advisory], target: Target | None) -> str:
    from nginxaudit.nginx.releases import doubt_about
    from nginxaudit.report.sanitize import visible

    lines: list[str] = []
    for each in entries:
        platform = f" (only on {each.condition.platform})" if each.condition.platform else ""
        lines += [
            f"{click.style(visible(each.cve), bold=True)}  {visible(each.severity)}  {visible(each.title)}",
            f"    versions: {each.ranges}",
            f"    needs: {visible(str(each.condition))}{platform}",
        ]
        lines += [f"    note: {visible(each.note)}"] if each.note else []
        lines += [f"    {visible(each.url)}"] if each.url else []
    what = "advisory" if len(entries) == 1 else "advisories"
    whose = f" of {target.label}" if target is not None else ""
    lines += [""] if lines else []
    lines.append(f"{len(entries)} {what}{whose}, known up to {visible(known.date)}")
    doubt = doubt_about(target.version) if target is not None else ""
    return "\n".join([*lines, f"Note: {doubt}"] if doubt else lines)
