"""The records as nginxaudit reads them: rows grouped by name in which trailing defaults are left out.

A fraction of the size, and quick to load; `nginxaudit.nginx.records` names the fields in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nginxaudit.nginx.records import (
    BALANCER_FIELDS,
    DIRECTIVE_FIELDS,
    PARAMETER_FIELDS,
    VARIABLE_FIELDS,
)
from tools.facts.records import Record, read

DATA = Path(__file__).parents[2] / "nginxaudit" / "nginx" / "data"


def row(record: Mapping[str, Any], fields: Mapping[str, Any]) -> list[Any]:
    """Values of ``record`` in the order of ``fields``, without the defaults at its end."""
    values = [record.get(name, default) for name, default in fields.items()]
    defaults = list(fields.values())
    while values and values[-1] == defaults[len(values) - 1]:
        values.pop()
    return values


def grouped(records: Iterable[Record], key: str, fields: Mapping[str, Any]) -> dict[str, list[list[Any]]]:
    """Rows by the value of ``key``, names sorted."""
    groups: dict[str, list[list[Any]]] = {}
    for record in records:
        groups.setdefault(record[key], []).append(row(record, fields))
    return dict(sorted(groups.items()))


def directive(record: Record) -> Record:
    """A directive's record with its argument counts flattened and what nobody asks for left out."""
    args = record.get("args") or {}
    history = [_change(entry) for entry in record.get("history") or ()]
    return {
        **record,
        "min_args": args.get("min", 0),
        "max_args": args.get("max"),
        "counts": args.get("counts"),
        "flag": args.get("flag", False),
        "third_party": record.get("third_party"),
        "history": history or None,
        "status": None if record.get("status") == "current" else record.get("status"),
    }


def _change(entry: Record) -> Record:
    args = entry.get("args")
    kept = {
        key: value for key, value in entry.items() if key in ("version", "contexts_added", "contexts_removed")
    }
    if args:
        kept["args"] = [args["min"], args["max"], args.get("counts"), args.get("flag", False)]
    return kept


def compiled() -> dict[str, str]:
    """The text of every file of ``data/`` by its name, from the records."""
    directives = [directive(record) for record in read("directives")]
    contents = {
        "directives.json": grouped(directives, "name", DIRECTIVE_FIELDS),
        "parameters.json": grouped(read("parameters"), "directive", PARAMETER_FIELDS),
        "variables.json": grouped(read("variables"), "name", VARIABLE_FIELDS),
        "balancers.json": grouped(read("balancers"), "method", BALANCER_FIELDS),
    }
    return {name: render(content) for name, content in contents.items()}


def render(content: Any) -> str:
    """JSON with one group a line: small to load, and readable as a diff."""

    def pack(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    if isinstance(content, dict):
        lines = [f"{pack(key)}:{pack(value)}" for key, value in content.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"
    return "[\n" + ",\n".join(map(pack, content)) + "\n]\n"


def render_parts(parts: Mapping[str, Any]) -> str:
    """JSON with parts, each with one group a line."""
    texts = [f"{json.dumps(name)}:{render(content).rstrip()}" for name, content in parts.items()]
    return "{\n" + ",\n".join(texts) + "\n}\n"
