"""The keys of a settings file, told once: for its reader, its JSON Schema and the file that ``init`` writes."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from nginxaudit.engine.rules.catalogue import Catalogue
from nginxaudit.engine.rules.rule import Option
from nginxaudit.source.limits import limits

SCHEMA_URL = "https://raw.githubusercontent.com/nginxaudit/nginxaudit/main/nginxaudit/engine/settings/settings.schema.json"


class Key(Struct, frozen=True):
    """One key: ``kind`` is text, flag, names (a list of texts) or table; ``sample`` is TOML for ``init``."""

    name: str
    kind: str
    description: str
    sample: str
    choices: tuple[str, ...] = ()


KEYS = (
    Key("nginx-version", "text", "The nginx that the configuration is for; default: the newest known.", '"1.28.0"'),
    Key("edition", "text", "Open source or NGINX Plus.", '"oss"', ("oss", "plus")),
    Key("modules", "names", "Third-party modules that are loaded.", '["lua"]'),
    Key("entry", "names", "Main configurations, relative to this file: what is scanned without a path.", '["nginx.conf"]'),
    Key("prefix", "text", "Where the tree is installed, for absolute includes.", '"/etc/nginx"'),
    Key("fragments", "flag", "Also analyse files of a directory that no configuration includes.", "false"),
    Key("select", "names", "Only these rules: slugs, ids, categories, tags or ALL.", '["ALL"]'),
    Key("extend-select", "names", "These rules, besides the default ones.", '["pedantic"]'),
    Key("ignore", "names", "Not these rules.", '["style"]'),
    Key("per-file-ignores", "table", "Glob of files, relative to this file -> rules that are not told there.", '"legacy/*.conf" = ["security"]'),
    Key("min-severity", "text", "Report only findings at or above this severity.", '"info"', ("info", "warning", "error")),
    Key("min-confidence", "text", "Report only findings at or above this confidence.", '"low"', ("low", "medium", "high")),
    Key("fail-on", "text", "Lowest severity that makes the exit code 1.", '"warning"', ("error", "warning", "info", "never")),
    Key("baseline", "text", "File with known findings (nginxaudit baseline write).", '"nginxaudit-baseline.json"'),
    Key("rules", "names", "Directories with rule pages of your own (declarative).", '["nginx-rules"]'),
    Key("rule", "table", "Severity and options of single rules.", 'server-tokens = { severity = "error" }'),
    Key("limits", "table", "How much is read and analysed at most.", 'max-file-size = "16m"'),
    Key("upstreams", "table", "What groups are meant to be; names may be globs.", 'backend = { topology = "active-passive" }'),
)  # fmt: skip
NAMES = tuple(key.name for key in KEYS)

_TYPES = {
    "integer": "integer",
    "number": "number",
    "string": "string",
    "boolean": "boolean",
    "duration": "string",
    "list": "array",
}


def schema(catalogue: Catalogue) -> dict[str, Any]:
    """JSON Schema of ``nginxaudit.toml``, for editors that complete and check it."""
    names = sorted({name for rule in catalogue for name in (rule.slug, rule.id, rule.category, *rule.tags)})
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": SCHEMA_URL,
        "title": "Settings of nginxaudit",
        "description": "nginxaudit.toml, or the table [tool.nginxaudit] of pyproject.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: {"description": key.description, **_value(key, catalogue)} for key in KEYS},
        "definitions": {
            # A list helps to complete; tags of one's own rule pages are allowed, too.
            "names": {"type": "array", "items": {"anyOf": [{"enum": ["ALL", *names]}, {"type": "string"}]}}
        },
    }


def _value(key: Key, catalogue: Catalogue) -> dict[str, Any]:
    if key.name in ("select", "extend-select", "ignore"):
        return {"$ref": "#/definitions/names"}
    if key.name == "per-file-ignores":
        return {"type": "object", "additionalProperties": {"$ref": "#/definitions/names"}}
    if key.name == "rule":
        return _rules(catalogue)
    if key.name == "limits":
        return _limits()
    if key.name == "upstreams":
        topology = {"enum": ["active-active", "active-passive"]}
        group = {"type": "object", "properties": {"topology": topology}, "required": ["topology"]}
        return {"type": "object", "additionalProperties": {**group, "additionalProperties": False}}
    if key.kind == "names":
        return {"type": "array", "items": {"type": "string"}}
    if key.kind == "flag":
        return {"type": "boolean"}
    return {"enum": list(key.choices)} if key.choices else {"type": "string"}


def _limits() -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for each in limits():
        number = {"type": "integer", "minimum": 1, "maximum": each.highest}
        size = {"type": "string", "pattern": "^[0-9]+[kmgKMG]?$"}
        default = each.shown(each.default) if each.size else each.default
        kind = {"anyOf": [size, number]} if each.size else number
        properties[each.key] = {"description": each.about, "default": default, **kind}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _rules(catalogue: Catalogue) -> dict[str, Any]:
    severity = {"enum": ["error", "warning", "info"], "description": "Severity of its findings."}
    return {
        "type": "object",
        "properties": {
            rule.slug: {
                "description": rule.title,
                "type": "object",
                "additionalProperties": False,
                "properties": {"severity": severity, **{each.name: _option(each) for each in rule.options}},
            }
            for rule in catalogue
        },
        "additionalProperties": {"type": "object", "properties": {"severity": severity}},
    }


def _option(option: Option) -> dict[str, Any]:
    return {"type": _TYPES[option.type], "default": option.default, "description": option.description}


def sample() -> str:
    """A settings file with every key in a comment, and what it means."""
    lines = [
        f"#:schema {SCHEMA_URL}",
        "# Settings of nginxaudit. Everything here is a default or an example; remove the # to set it.",
        "",
    ]
    for key in KEYS:
        choices = f" One of: {', '.join(key.choices)}." if key.choices else ""
        lines.append(f"# {key.description}{choices}")
        if key.name == "limits":
            lines += ["# [limits]", *_limit_lines()]
        elif key.kind == "table":
            lines += [f"# [{key.name}]", f"# {key.sample}"]
        else:
            lines.append(f"# {key.name} = {key.sample}")
        lines.append("")
    return "\n".join(lines)


def _limit_lines() -> list[str]:
    return [
        f'# {each.key} = "{each.shown(each.default)}"  # {each.about}'
        if each.size
        else f"# {each.key} = {each.default}  # {each.about}"
        for each in limits()
    ]
