"""The options of a rule as a record: what settings may say about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct, defstruct

from nginxaudit.engine.rules.rule import PageError, Rule
from nginxaudit.engine.tables import TableError, read
from nginxaudit.finding import Severity
from nginxaudit.nginx import parse_offset, parse_time_ms

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*\Z")
_TYPES: Mapping[str, Any] = {
    "integer": int,
    "number": float,
    "string": str,
    "boolean": bool,
    "duration": Annotated[str, Meta(extra={"check": parse_time_ms})],
    "size": Annotated[str, Meta(extra={"check": parse_offset})],
    "list": tuple[str, ...],
}
_SEVERITY = Annotated[Severity | None, Meta(description="Severity of its findings.")]


def record_of(rule: Rule) -> type[Struct]:
    """The record of ``[rule.NAME]`` in settings: its severity and its options."""
    fields: list[tuple[str, Any, Any]] = [("severity", _SEVERITY, None)]
    for name, option in rule.options.items():
        kind: Any = _TYPES[option.type]
        fields.append((_field(name), Annotated[kind, Meta(description=option.description)], option.value))
    return defstruct(rule.slug, fields, frozen=True, rename="kebab", forbid_unknown_fields=True)


def values_of(rule: Rule, given: Mapping[str, Any], key: str) -> tuple[Severity | None, dict[str, Any]]:
    """The severity that ``given`` asks for, and the value of every option. Raises `TableError`."""
    said = read(record_of(rule), given, key, "option")
    return said.severity, {name: getattr(said, _field(name)) for name in rule.options}  # type: ignore[attr-defined]


def defaults_of(rule: Rule) -> dict[str, Any]:
    """The options of ``rule`` without settings. Raises `PageError` for those that contradict themselves."""
    for name in rule.options:
        if not _NAME.match(name) or name == "severity":
            raise PageError(f"{rule.path}: options.{name}: a name is written in lower-case words and hyphens")
    try:
        return values_of(rule, {name: each.default for name, each in rule.options.items()}, "options")[1]
    except TableError as error:
        raise PageError(f"{rule.path}: {error}") from None


def _field(name: str) -> str:
    return name.replace("-", "_")
