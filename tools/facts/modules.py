"""Renew what is known about third-party modules from clones of their repositories.

    python -m tools.facts.modules CLONES [--write]

reads the command tables and variables of the modules in modules.toml from the clones in CLONES (``owner/name``, ``owner+name`` or
``name``), and says which repositories are missing and what has changed. With --write nginxaudit/nginx/data/modules.json is
rewritten; modules without any clone keep what is known about them.
"""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nginxaudit.nginx.records import MODULE_FIELDS, VARIABLE_FIELDS
from tools.facts.clones import Clones, joined, listed, texts
from tools.facts.compiled import DATA, directive, grouped, render_parts
from tools.facts.records import Record, arguments_as_record
from tools.facts.tables import Arguments, Command, Variable, commands, defines, variables
from tools.facts.types import type_of

FILE = DATA / "modules.json"
_LIST = Path(__file__).with_name("modules.toml")
Row = list[Any]


def repositories() -> dict[str, list[str]]:
    """Modules by name, with their repositories."""
    with _LIST.open("rb") as file:
        modules: dict[str, list[str]] = tomllib.load(file)["modules"]
    return modules


def tables_of(git: Path, revision: str = "HEAD") -> tuple[list[Command], list[Variable]]:
    """The directives and variables of all files of a revision."""
    files = listed(git, revision)
    known = texts(git, set(files.values()))
    sources = joined({path: known[each] for path, each in files.items() if each in known})
    macros = {name: value for text in sources.values() for name, value in defines(text).items()}
    wanted = [text for text in sources.values() if "ngx_command_t" in text or "_variable" in text]
    return (
        [one for text in wanted for one in commands(text, macros) if one.contexts],
        [one for text in wanted for one in variables(text)],
    )


def joined_commands(found: Iterable[Command]) -> list[Command]:
    """Directives of http and of stream, with a block or without: of several forks what any of them allows."""
    made: dict[tuple[str, bool, bool], Command] = {}
    for each in found:
        key = each.name, each.block, any(context.startswith("stream") for context in each.contexts)
        made[key] = _joined(made[key], each) if key in made else each
    return [made[key] for key in sorted(made)]


def _joined(one: Command, other: Command) -> Command:
    contexts = one.contexts | other.contexts
    if one.arguments == other.arguments:
        return one._replace(contexts=contexts)
    return one._replace(contexts=contexts, arguments=_either(one.arguments, other.arguments), handler="")


def _either(one: Arguments, other: Arguments) -> Arguments:
    minimum = min(one.minimum, other.minimum)
    if one.maximum is None or other.maximum is None:
        return Arguments(minimum, None, None, False)
    counts = sorted({*_counts(one), *_counts(other)})
    whole = counts == list(range(counts[0], counts[-1] + 1))
    return Arguments(minimum, counts[-1], None if whole else tuple(counts), False)


def _counts(arguments: Arguments) -> Iterable[int]:
    return arguments.counts or range(arguments.minimum, (arguments.maximum or 0) + 1)


def directive_record(name: str, each: Command) -> Record:
    """The record of a directive of the module ``name``. The Lua of a block is its last argument, as the lexer reads it."""
    arguments, block = each.arguments, each.block
    if each.name.endswith("_by_lua_block"):
        most = None if arguments.maximum is None else arguments.maximum + 1
        arguments, block = Arguments(arguments.minimum + 1, most, None, False), False
    return {
        "name": each.name,
        "module": each.module,
        "contexts": sorted(each.contexts),
        "args": arguments_as_record(arguments),
        "block": block,
        "type": type_of(each.handler),
        "third_party": name,
    }


def variable_record(name: str, each: Variable) -> Record:
    """The record of a variable of the module ``name``."""
    return {
        "name": each.name.lower(),
        "family": each.family,
        "module": name,
        "prefix": each.prefix,
        "third_party": name,
    }


def read(clones: Clones) -> tuple[list[Record], list[Record], list[str], list[str]]:
    """Records of directives and of variables, modules that were read, and repositories that are missing."""
    directives: list[Record] = []
    names: dict[tuple[str, str], Record] = {}
    done, missing = [], []
    for name, sources in repositories().items():
        gits = [clones.find(each) for each in sources]
        missing += [each for each, git in zip(sources, gits, strict=True) if git is None]
        tables = [tables_of(git) for git in gits if git is not None]
        if not tables:
            continue
        done.append(name)
        joined_ones = joined_commands(one for found, _ in tables for one in found)
        directives += [directive_record(name, each) for each in joined_ones]
        for each in (one for _, found in tables for one in found):
            if re.fullmatch(r"\w+", each.name):
                names.setdefault((each.name.lower(), each.family), variable_record(name, each))
    return directives, [names[key] for key in sorted(names)], done, missing


def _kept(
    have: dict[str, dict[str, list[Row]]], part: str, field: int, done: list[str]
) -> dict[str, list[Row]]:
    """Rows of the modules that were not read."""
    kept = {
        name: [row for row in rows if row[field] not in done] for name, rows in have.get(part, {}).items()
    }
    return {name: rows for name, rows in kept.items() if rows}


def _with(kept: dict[str, list[Row]], new: dict[str, list[Row]]) -> dict[str, list[Row]]:
    return {name: [*kept.get(name, ()), *new.get(name, ())] for name in sorted({*kept, *new})}


def main() -> None:
    """Read the clones, report, and write where it is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clones", type=Path, help="the directory with the clones")
    parser.add_argument("--write", action="store_true", help="rewrite the data")
    asked = parser.parse_args()
    directives, names, done, missing = read(Clones(asked.clones))
    have = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    third = list(MODULE_FIELDS).index("third_party"), list(VARIABLE_FIELDS).index("third_party")
    parts = {
        "directives": _with(
            _kept(have, "directives", third[0], done),
            grouped(map(directive, directives), "name", MODULE_FIELDS),
        ),
        "variables": _with(_kept(have, "variables", third[1], done), grouped(names, "name", VARIABLE_FIELDS)),
    }
    print(f"{len(done)} modules read, {len(directives)} directives, {len(names)} variables")
    print("".join(f"  no clone of {each}\n" for each in missing), end="")
    for part, rows in parts.items():
        before = have.get(part, {})
        for word, which in (("new", rows.keys() - before.keys()), ("gone", before.keys() - rows.keys())):
            print("".join(f"  {word}: {name}\n" for name in sorted(which)), end="")
        changed = [name for name in rows.keys() & before.keys() if rows[name] != before[name]]
        print("".join(f"  changed: {name}\n" for name in sorted(changed)), end="")
    if asked.write:
        FILE.write_text(render_parts(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
