"""The settings as documents: JSON Schema for editors, the commented file of ``init``, tables for the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, json, structs

from nginxaudit.engine.annotations import choices, metas, plain, spelled
from nginxaudit.engine.rules.catalogue import Catalogue
from nginxaudit.engine.rules.options import record_of
from nginxaudit.engine.settings.record import FileSettings, Setting, all_settings, described
from nginxaudit.source.limits import DEFAULTS, Limits

SCHEMA_URL = "https://raw.githubusercontent.com/nginxaudit/nginxaudit/main/nginxaudit/engine/settings/settings.schema.json"
_NAMES = {"$ref": "#/definitions/names"}
_OF_NAMES: Mapping[str, Mapping[str, Any]] = {
    "select": _NAMES,
    "extend-select": _NAMES,
    "ignore": _NAMES,
    "per-file-ignores": {"type": "object", "additionalProperties": _NAMES},
}


# -- JSON Schema


def schema(catalogue: Catalogue) -> dict[str, Any]:
    """JSON Schema of ``nginxaudit.toml``, for editors that complete and check it."""
    records = [record_of(rule) for rule in catalogue]
    _, parts = json.schema_components([FileSettings, *records], ref_template="#/definitions/{name}")
    parts = {name: _toml({**part, "description": ""}) for name, part in parts.items()}  # docstrings are ours
    settings = parts.pop(FileSettings.__name__)
    properties = settings["properties"]
    for key, names in _OF_NAMES.items():
        properties[key] = {"description": properties[key]["description"], **names}
    properties["rule"] = {
        "description": properties["rule"]["description"],
        "type": "object",
        "properties": {
            rule.slug: {"description": rule.title, **parts.pop(record.__name__)}
            for rule, record in zip(catalogue, records, strict=True)
        },
        # rules of one's own pages
        "additionalProperties": {
            "type": "object",
            "properties": {"severity": {"$ref": "#/definitions/Severity"}},
        },
    }
    known = sorted({*catalogue.names, *catalogue.groups})
    # A list helps to complete; tags of one's own rule pages are allowed, too.
    names = {"type": "array", "items": {"anyOf": [{"enum": known}, {"type": "string"}]}}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": SCHEMA_URL,
        "title": "Settings of nginxaudit",
        "description": "nginxaudit.toml, or the table [tool.nginxaudit] of pyproject.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "definitions": {"names": names, **parts},
    }


def _toml(part: Any) -> Any:
    """A part of a schema without what TOML does not have (null), and with texts for sizes."""
    if isinstance(part, list):
        return [_toml(each) for each in part if each != {"type": "null"}]
    if not isinstance(part, dict):
        return part
    made = {
        key: _toml(value) for key, value in part.items() if not (key == "default" and value in (None, {}))
    }
    for key in ("title", "required", "description"):
        if key == "title" or not made.get(key, True):
            made.pop(key, None)
    if "$ref" in made and len(made) > 1:  # what stands beside a reference does not count
        made["allOf"] = [{"$ref": made.pop("$ref")}]
    if len(made.get("anyOf", ())) == 1:
        made |= made.pop("anyOf")[0]
    if made.get("type") == "integer" and "pattern" in made:  # 16m
        made["type"] = ["integer", "string"]
    return made


# -- the file to begin with


def sample() -> str:
    """A settings file with every key in a comment, and what it means."""
    lines = [
        f"#:schema {SCHEMA_URL}",
        "# Settings of nginxaudit. Everything here is a default or an example; remove the # to set it.",
        "",
    ]
    for setting in _tables_last(described(FileSettings)):
        words = choices(setting.annotation)
        allowed = f" One of: {', '.join(words)}." if words else ""
        lines.append(f"# {setting.description}{allowed}")
        lines += [f"# {line}" for line in sample_of(setting)]
        lines.append("")
    return "\n".join(lines)


def sample_of(setting: Setting) -> Iterator[str]:
    """TOML that sets ``setting``."""
    if plain(setting.annotation) is Limits:
        yield f"[{setting.key}]"
        for limit, value, _, about in limits():
            yield f"{limit} = {value}  # {about}"
    elif is_table(setting):
        yield f"[{setting.key}]"
        yield setting.sample
    else:
        yield f"{setting.key} = {setting.sample or _toml_value(setting.default)}"


def _toml_value(value: object) -> str:
    return str(value).lower() if isinstance(value, (bool, int, float)) else f'"{spelled(value)}"'


def is_table(setting: Setting) -> bool:
    """Whether its value is a table, which stands at the end of a file."""
    kind = plain(setting.annotation)
    return kind is Limits or getattr(kind, "__origin__", None) is Mapping


def _tables_last(settings: list[Setting]) -> list[Setting]:
    return sorted(settings, key=is_table)


# -- tables for the documentation


def limits() -> Iterator[tuple[str, str, str, str]]:
    """Each limit: its key, its default and its highest value in TOML, and what it bounds."""
    for each in structs.fields(Limits):
        (meta,) = metas(each.type)
        show = (meta.extra or {}).get("show")
        default, highest = (
            f'"{show(value)}"' if show else str(value) for value in (getattr(DEFAULTS, each.name), meta.le)
        )
        yield each.encode_name, default, highest, meta.description or ""


def settings_table() -> str:
    """All settings as a table in Markdown."""
    rows = ["| in the file | on the command line | default | |", "|---|---|---|---|"]
    in_files = {each.name for each in described(FileSettings)}
    for each in all_settings():
        key = (f"`[{each.key}]`" if is_table(each) else f"`{each.key}`") if each.name in in_files else ""
        words = choices(each.annotation)
        values = f" One of {', '.join(f'`{word}`' for word in words)}." if words else ""
        option = f"`{each.option}`" if each.option else ""
        default = f"`{spelled(each.default)}`" if each.default and not is_table(each) else ""
        rows.append(f"| {key} | {option} | {default} | {each.description}{values} |")
    return "\n".join(rows) + "\n"


def fields_table(record: type[Struct]) -> str:
    """The keys of a table of rule pages, as a table in Markdown: fields with the texts below them."""
    meanings = _meanings(record)
    rows = ["| key | meaning |", "|---|---|"]
    for each in structs.fields(record):
        words = choices(each.type)
        values = f" (one of {', '.join(f'`{word}`' for word in words)})" if words else ""
        rows.append(f"| `{each.encode_name}` | {meanings[each.name]}{values} |")
    return "\n".join(rows) + "\n"


def _meanings(record: type[Struct]) -> dict[str, str]:
    """The string that follows a field in the source of ``record``: at run time it costs nothing."""
    import ast
    from inspect import getsource
    from itertools import pairwise

    (definition,) = ast.parse(getsource(record)).body
    assert isinstance(definition, ast.ClassDef)
    return {
        one.target.id: str(other.value.value)
        for one, other in pairwise(definition.body)
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
        if isinstance(other, ast.Expr) and isinstance(other.value, ast.Constant)
    }


def limits_table() -> str:
    """All limits as a table in Markdown."""
    rows = ["| `[limits]` | default | highest | |", "|---|---|---|---|"]
    rows += [
        f"| `{key}` | `{default}` | `{highest}` | {about} |" for key, default, highest, about in limits()
    ]
    return "\n".join(rows) + "\n"
