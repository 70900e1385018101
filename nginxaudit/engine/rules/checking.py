"""What is wrong with the ``[check]`` table of a user's page: names that there are not, and keys without effect.

A misspelt name would make a rule that never finds anything. Shipped pages are checked by the tests, not at every start.
"""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.engine.rules.declarative import FIELD, FIELDS, listed
from nginxaudit.engine.rules.rule import CheckTable, PageError, RepairTable, Rule
from nginxaudit.nginx import PSEUDO_CONTEXTS, contexts, is_block, known_names
from nginxaudit.nginx.patterns import compiled
from nginxaudit.suggest import did_you_mean

_OF_VALUES = ("argument", "parameter", "equals", "one_of", "not_one_of", "matches", "above", "below", "unit")
_NOTHING = CheckTable()
PLACES = ("before", "after", "first", "last")
FILLED = ("found", "directive", "args")
"""Placeholders of `edits.fill`, besides the numbers of arguments."""


def require_sense(rule: Rule) -> None:
    """Raise `PageError` where the check of ``rule`` cannot be meant as it is written."""
    table = rule.check
    if bool(table.lacks) == bool(table.directive):
        raise _error(rule, "", "one of directive and lacks is needed")
    if not table.message:
        raise _error(rule, "message", "a check needs one")
    if table.lacks:
        _without_effect(rule, ("contexts", *_OF_VALUES), "lacks")
        _require_directives(rule, "lacks", (table.lacks,))
        if not table.blocks:
            raise _error(rule, "in", 'lacks needs the contexts of the blocks, e.g. in = ["server"]')
        _require_contexts(rule, "in", table.blocks)
    else:
        _without_effect(rule, ("blocks",), "directive")
        _require_contexts(rule, "contexts", table.contexts)
        if not table.contexts or not PSEUDO_CONTEXTS.issuperset(
            table.contexts
        ):  # the words of a map are data
            _require_directives(rule, "directive", listed(table.directive))
    if table.parameter is not None:
        _without_effect(rule, ("argument",), "parameter")
    if table.above is None and table.below is None:
        _without_effect(rule, ("unit",), "no above or below")
    _require_fields(rule)
    if rule.repair is not None:
        _require_repair(rule, rule.repair)


def _error(rule: Rule, key: str, reason: str, table: str = "check") -> PageError:
    return PageError(f"{rule.path}: {f'{table}.{key}' if key else table}: {reason}")


def _without_effect(rule: Rule, names: Iterable[str], form: str) -> None:
    for name in names:
        if getattr(rule.check, name) != getattr(_NOTHING, name):
            key = "in" if name == "blocks" else name.replace("_", "-")
            raise _error(rule, key, f"it has no meaning together with {form}")


def _require_directives(rule: Rule, key: str, names: Iterable[str]) -> None:
    known = known_names().union(rule.check.third_party)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise _error(
                rule,
                key,
                f'unknown directive "{name}"{hint} (directives of modules that nginxaudit does not know are listed in '
                "third-party)",
            )


def _require_contexts(rule: Rule, key: str, names: Iterable[str]) -> None:
    for name in names:
        if name not in contexts():
            hint = did_you_mean(name, contexts()) or f"; known are {', '.join(sorted(contexts()))}"
            raise _error(rule, key, f'unknown context "{name}"{hint}')


def _require_fields(rule: Rule) -> None:
    """What stands in braces in the texts is filled in: each name must be known."""
    fields = [name for name in FIELDS if name != "value" or not rule.check.lacks]
    if clash := next((name for name in rule.options if name in FIELDS), None):
        raise PageError(f"{rule.path}: options.{clash}: {{{clash}}} has a meaning in messages already")
    known = [f"{{{name}}}" for name in (*fields, *rule.options)]
    for key in ("message", "help"):
        for match in compiled(FIELD).finditer(getattr(rule.check, key)):
            if match[1] is not None and match[0] not in known:
                raise _error(rule, key, f"{_unknown(match[0], known)} (a brace itself is written twice)")


def _require_repair(rule: Rule, repair: RepairTable) -> None:
    if rule.fix == "none":
        raise _error(rule, "fix", '"safe" or "unsafe" is needed beside [repair]', "")
    if len(repair.actions) != 1:
        raise _error(rule, "", "one of delete, replace, append and insert is needed", "repair")
    if repair.replace is None and repair.what != "directive":
        raise _error(rule, "what", "it has no meaning without replace", "repair")
    if repair.insert is None and repair.where:
        raise _error(rule, "where", "it has no meaning without insert", "repair")
    if repair.insert is not None:
        _require_place(rule, repair.where)
    placeholders = [f"{{{name}}}" for name in (*FILLED, *map(str, range(1, 10)))]
    for key in ("title", *repair.actions):
        for match in compiled(r"\{\w+\}").finditer(getattr(repair, key)):
            if match[0] not in placeholders:
                raise _error(rule, key, _unknown(match[0], placeholders), "repair")


def _require_place(rule: Rule, where: str) -> None:
    if where not in PLACES and where not in rule.check.third_party and not is_block(where):
        known = (*PLACES, *filter(is_block, known_names()))
        reason = f'one of {", ".join(PLACES)} or the name of a block is expected, not "{where}"'
        raise _error(rule, "where", f"{reason}{did_you_mean(where, known)}", "repair")


def _unknown(placeholder: str, known: list[str]) -> str:
    hint = did_you_mean(placeholder, known) or f"; known are {', '.join(known)}"
    return f"unknown placeholder {placeholder}{hint}"
