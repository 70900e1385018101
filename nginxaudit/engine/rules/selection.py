"""Which rules run: names to rules, and what is wrong with the names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from nginxaudit.engine.rules.catalogue import Catalogue
from nginxaudit.engine.rules.rule import Rule
from nginxaudit.engine.settings.record import Settings, SettingsError
from nginxaudit.finding import Severity
from nginxaudit.suggest import did_you_mean

ALWAYS = frozenset({"unreadable-file", "limit-exceeded"})
"""Rules that report what was not analysed: without them the result would be a lie."""


def selected(catalogue: Catalogue, settings: Settings) -> list[Rule]:
    """Rules to run for the target, with the user's severities.

    Raises `SettingsError` for names and options that there are not, those of rules that do not run included.
    """
    if settings.select is None:
        chosen = {rule.slug for rule in catalogue if rule.default}
    else:
        chosen = slugs(catalogue, settings.select, settings.where("select"))
    chosen |= slugs(catalogue, settings.extend_select, settings.where("extend_select"))
    chosen -= slugs(catalogue, settings.ignore, settings.where("ignore"))
    chosen |= {rule.slug for rule in catalogue if rule.slug in ALWAYS}
    severities = _severities(catalogue, settings)
    ignored_per_file(catalogue, settings)
    target = settings.target
    return [
        replace(rule, severity=severities[rule.slug]) if rule.slug in severities else rule
        for rule in catalogue
        if rule.slug in chosen and rule.may_apply_to(target)
    ]


def not_run(catalogue: Catalogue, settings: Settings) -> list[str]:
    """Notes on the rules that are selected by their own names and that are about another nginx."""
    target = settings.target
    names = (*(settings.select or ()), *settings.extend_select)
    rules = dict.fromkeys(rule.slug for name in names if (rule := catalogue.get(name)) is not None)
    return [
        f"{slug}: not run: it is for {rule.scope}, and the target is {target.label}"
        for slug in rules
        if (rule := only(catalogue, slug, "")).scope and not rule.may_apply_to(target)
    ]


def ignored_per_file(catalogue: Catalogue, settings: Settings) -> dict[str, set[str]]:
    """Globs of files, and the slugs of the rules whose findings are suppressed there. Raises `SettingsError`."""
    return {
        glob: slugs(catalogue, names, f"{settings.where('per_file_ignores')}.{glob}")
        for glob, names in settings.per_file_ignores.items()
    }


def options_of(rule: Rule, catalogue: Catalogue, settings: Settings) -> dict[str, Any]:
    """Option values of ``rule``: its defaults and the user's. Raises `SettingsError`."""
    values = {name: option.value for name, option in rule.options.items()}
    for name, given in settings.rule.items():
        if catalogue.get(name) is not None and only(catalogue, name, "").slug == rule.slug:
            said = _said(rule, name, given, settings)[1]
            values.update({key: said[key] for key in given if key in said})
    return values


def _severities(catalogue: Catalogue, settings: Settings) -> dict[str, Severity]:
    found: dict[str, Severity] = {}
    for name, given in settings.rule.items():
        rule = only(catalogue, name, settings.where("rule"))
        severity = _said(rule, name, given, settings)[0]
        if severity is not None:
            found[rule.slug] = severity
    return found


def _said(
    rule: Rule, name: str, given: Mapping[str, Any], settings: Settings
) -> tuple[Severity | None, dict[str, Any]]:
    """Severity and options of ``[rule.NAME]``. Raises `SettingsError`."""
    from nginxaudit.engine.rules.options import values_of
    from nginxaudit.engine.tables import TableError

    try:
        return values_of(rule, given, f"{settings.where('rule')}.{name}")
    except TableError as error:
        raise SettingsError(str(error)) from None


def slugs(catalogue: Catalogue, names: Iterable[str], where: str) -> set[str]:
    """Slugs of the rules that ``names`` mean: slug, id, category, tag or ALL."""
    found: set[str] = set()
    for name in names:
        meant = catalogue.meaning(name)
        if not meant:
            raise SettingsError(f"{where}: unknown rule {name!r}{catalogue.like(name)}")
        found |= meant
    return found


def only(catalogue: Catalogue, name: str, where: str) -> Rule:
    """The one rule called ``name``."""
    rule = catalogue.get(name)
    if rule is None:
        raise SettingsError(f"{where}: unknown rule {name!r}{did_you_mean(name, catalogue.names)}")
    return rule
