"""Which rules run: names to rules, and what is wrong with the names."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from nginxaudit.engine.rules.catalogue import Catalogue
from nginxaudit.engine.rules.rule import Option, Rule
from nginxaudit.engine.settings import Settings, SettingsError
from nginxaudit.nginx import parse_time_ms
from nginxaudit.suggest import did_you_mean

ALL = "ALL"
ALWAYS = frozenset({"unreadable-file", "limit-exceeded"})
"""Rules that tell what was not analysed: deselecting them would make the result a lie."""

_TYPES = {
    "integer": int,
    "number": (int, float),
    "string": str,
    "boolean": bool,
    "duration": str,
    "list": list,
}


def selected(catalogue: Catalogue, settings: Settings) -> list[Rule]:
    """Rules to run, with the user's severities. Raises `SettingsError` for names nobody knows."""
    where = settings.origin or "command line"
    if settings.select is None:
        chosen = {rule.slug for rule in catalogue if rule.default}
    else:
        chosen = slugs(catalogue, settings.select, f"{where}: select")
    chosen |= slugs(catalogue, settings.extend_select, f"{where}: extend-select")
    chosen -= slugs(catalogue, settings.ignore, f"{where}: ignore")
    chosen |= {rule.slug for rule in catalogue if rule.slug in ALWAYS}
    severities = {
        only(catalogue, name, f"{where}: rule").slug: level for name, level in settings.severities.items()
    }
    for name in settings.options:
        only(catalogue, name, f"{where}: rule")
    return [
        replace(rule, severity=severities[rule.slug]) if rule.slug in severities else rule
        for rule in catalogue
        if rule.slug in chosen
    ]


def slugs(catalogue: Catalogue, names: Iterable[str], where: str) -> set[str]:
    """Slugs of the rules that ``names`` mean: slug, id, category, tag or ALL."""
    found: set[str] = set()
    for name in names:
        rule = catalogue.get(name)
        if rule is not None:
            found.add(rule.slug)
            continue
        group = {each.slug for each in catalogue if name == ALL or name == each.category or name in each.tags}
        if not group:
            raise SettingsError(f"{where}: unknown rule {name!r}{did_you_mean(name, _all_names(catalogue))}")
        found |= group
    return found


def only(catalogue: Catalogue, name: str, where: str) -> Rule:
    """The one rule called ``name``."""
    rule = catalogue.get(name)
    if rule is None:
        raise SettingsError(f"{where}: unknown rule {name!r}{did_you_mean(name, catalogue.names)}")
    return rule


def options_of(rule: Rule, catalogue: Catalogue, settings: Settings) -> dict[str, object]:
    """Option values of ``rule``: its defaults and the user's. Raises `SettingsError`."""
    values = {option.name: option.default for option in rule.options}
    for name, given in settings.options.items():
        if (known := catalogue.get(name)) is None or known.slug != rule.slug:
            continue
        for key, value in given.items():
            where = f"{settings.origin or 'settings'}: rule.{name}.{key}"
            option = next((each for each in rule.options if each.name == key), None)
            if option is None:
                allowed = [each.name for each in rule.options] + ["severity"]
                raise SettingsError(f"{where}: unknown option{did_you_mean(key, allowed)}")
            values[key] = _checked(option, value, where)
    return values


def _checked(option: Option, value: object, where: str) -> object:
    expected = _TYPES[option.type]
    if not isinstance(value, expected) or (isinstance(value, bool) and option.type != "boolean"):  # type: ignore[arg-type]
        raise SettingsError(f"{where}: {value!r} is no {option.type}")
    if option.type == "duration":
        try:
            parse_time_ms(str(value))
        except ValueError as error:
            raise SettingsError(f"{where}: {error}") from None
    return value


def _all_names(catalogue: Catalogue) -> list[str]:
    groups = {rule.category for rule in catalogue} | {tag for rule in catalogue for tag in rule.tags}
    return [*catalogue.names, *sorted(groups), ALL]
