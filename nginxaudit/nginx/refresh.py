"""Compile raw fact files into ``data/``: ``python -m nginxaudit.nginx.refresh DIRECTORY``.

The raw files hold one record per directive, parameter, variable, advisory and balancing method with
every field spelled out. The compiled ones are rows grouped by name in which trailing defaults are
left out: a fraction of the size, and quick to load. See README.md for where the facts come from.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nginxaudit.nginx.records import (
    BALANCER_FIELDS,
    DIRECTIVE_FIELDS,
    PARAMETER_FIELDS,
    VARIABLE_FIELDS,
)

DATA = Path(__file__).parent / "data"
Record = dict[str, Any]


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
    args = record["args"] or {"min": 0, "max": None, "flag": False}
    history = [_change(entry) for entry in record["history"] or ()]
    return {
        **record,
        "min_args": args["min"],
        "max_args": args["max"],
        "counts": args.get("counts"),
        "flag": args.get("flag", False),
        "third_party": record["third_party"] or None,
        "history": history or None,
        "status": record["status"] if record["status"] != "current" else None,
    }


def _change(entry: Record) -> Record:
    args = entry.get("args")
    kept = {
        key: value for key, value in entry.items() if key in ("version", "contexts_added", "contexts_removed")
    }
    if args:
        kept["args"] = [args["min"], args["max"], args.get("counts"), args.get("flag", False)]
    return kept


def compile_facts(raw: Path) -> dict[str, Any]:
    """Content of every file of ``data/`` by its name, from the raw files in ``raw``."""

    def read(name: str) -> list[Record]:
        records: list[Record] = json.loads((raw / name).read_text(encoding="utf-8"))
        return records

    directives = [directive(record) for record in read("directives.json")]
    return {
        "directives.json": grouped(directives, "name", DIRECTIVE_FIELDS),
        "parameters.json": grouped(read("parameters.json"), "directive", PARAMETER_FIELDS),
        "variables.json": grouped(read("variables.json"), "name", VARIABLE_FIELDS),
        "balancers.json": grouped(read("balancers.json"), "method", BALANCER_FIELDS),
    }


def render(content: Any) -> str:
    """JSON with one group a line: small to load, and readable as a diff."""

    def pack(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    if isinstance(content, dict):
        lines = [f"{pack(key)}:{pack(value)}" for key, value in content.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"
    return "[\n" + ",\n".join(map(pack, content)) + "\n]\n"


def main() -> None:
    """Rewrite ``data/`` from the directory given."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    DATA.mkdir(exist_ok=True)
    for name, content in compile_facts(Path(sys.argv[1])).items():
        (DATA / name).write_text(render(content), encoding="utf-8")


if __name__ == "__main__":
    main()
