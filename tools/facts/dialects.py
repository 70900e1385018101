"""Renew what is known about OpenResty, Angie, freenginx and Tengine from clones of their repositories.

    python -m tools.facts.dialects CLONES [--only angie] [--write]

reads the command tables and variables of each release of an edition, compares them with what is known of the nginx that the release
is made of, and keeps what differs: nginxaudit/nginx/data/EDITION.json. CLONES has ``owner/name``, ``owner+name`` or ``name``; nginx
itself is one of them, for the parameters of directives.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from nginxaudit.nginx import OLDEST, Availability, DirectiveFact, Target, directives, known_names, variables
from nginxaudit.nginx.records import DIRECTIVE_FIELDS, PARAMETER_FIELDS, VARIABLE_FIELDS
from tools.facts import records
from tools.facts.clones import Clones, listed, texts
from tools.facts.compiled import DATA, directive, grouped, render_parts
from tools.facts.editions import EDITIONS, Release, Source, Version
from tools.facts.history import forms, joined, tables_by_release
from tools.facts.parameters import added_parameters
from tools.facts.records import Record, arguments_as_record, changes_of, text_of
from tools.facts.tables import Arguments, Command
from tools.facts.types import type_of

_NGINX = "nginx/nginx"
_ANNOTATED = (
    "default",
    "repeatable",
    "repeat",
    "inherits",
    "inherits_with",
    "inheritable",
    "values",
    "bounds",
    "configure",
)
"""What people have found out about nginx's directive and holds for that of an edition."""
Form = tuple[frozenset[str], Arguments, bool]
Forms = Mapping[str, Mapping[str, Form]]  # directives by name and page


def of_nginx(base: Version) -> dict[str, dict[str, Form]]:
    """What nginx ``base`` has."""
    target = Target((base[0], base[1], base[2]))
    found: dict[str, dict[str, Form]] = {}
    for name in known_names():
        for fact in directives(name):
            if fact.third_party is None and not fact.pseudo and fact.available(target) is Availability.YES:
                found.setdefault(name, {})[fact.module] = _form_of_fact(fact, target)
    return found


def _form_of_fact(fact: DirectiveFact, target: Target) -> Form:
    takes = fact.arguments(target)
    arguments = Arguments(takes.minimum, takes.maximum, takes.counts, takes.flag)
    return fact.contexts_for(target), arguments, fact.block


def _form(command: Command) -> Form:
    return command.contexts, command.arguments, command.block


def differing(
    found: Mapping[tuple[str, str], Mapping[Release, Command]], releases: Iterable[Release], *, whole: bool
) -> set[str]:
    """Names of directives in which some release differs from its nginx; not ``whole``: those that are missing are nginx's."""
    names: set[str] = set()
    bases: dict[Version, dict[str, dict[str, Form]]] = {}
    for release in releases:
        if release.base not in bases:
            bases[release.base] = of_nginx(release.base)
        has: dict[str, dict[str, Form]] = {}
        for (name, page), by_release in found.items():
            if release in by_release:
                has.setdefault(name, {})[page] = _form(by_release[release])
        base = bases[release.base]
        names.update(name for name, form in has.items() if form != base.get(name))
        if whole:
            names.update(base.keys() - has.keys())
    return names


def life(form: Mapping[Release, Any], releases: list[Release]) -> Record:
    """Since and until when releases have something; what the oldest has is not dated."""
    first, last = min(form), max(form)
    return {
        "since": None if first == releases[0] else text_of(first.version),
        "until": None if last == releases[-1] else text_of(last.version),
    }


def _history(form: Mapping[Release, Command]) -> list[Record] | None:
    """What changed, by the edition's own versions; with the first arguments where they changed."""
    ordered = sorted(form)
    found = [
        change for old, new in pairwise(ordered) for change in changes_of(new.version, form[old], form[new])
    ]
    if any("args" in change for change in found):
        first = arguments_as_record(form[ordered[0]].arguments)
        found.insert(0, {"version": text_of(ordered[0].version), "args": first})
    return found or None


def _record(
    key: tuple[str, str],
    form: Mapping[Release, Command],
    releases: list[Release],
    known: Mapping[tuple[str, str], Record],
) -> Record:
    newest = form[max(form)]
    annotated = {name: known[key][name] for name in _ANNOTATED if name in known.get(key, {})}
    arguments, block = newest.arguments, newest.block
    if newest.name.endswith("_by_lua_block"):  # the lexer reads the Lua of a block as one more argument
        arguments, block = (
            arguments._replace(minimum=arguments.minimum + 1, maximum=(arguments.maximum or 0) + 1),
            False,
        )
    return {
        "name": key[0],
        "module": key[1],
        "contexts": sorted(newest.contexts),
        "args": arguments_as_record(arguments),
        "block": block,
        "type": type_of(newest.handler),
        **annotated,
        **life(form, releases),
        "history": None if newest.name.endswith("_by_lua_block") else _history(form),
    }


def read(name: str, clones: Clones) -> tuple[dict[str, Any], str]:
    """The data of one edition, and a sentence about where it is from."""
    edition = EDITIONS[name]
    source = Source(edition, clones, OLDEST)
    releases = source.releases
    ids = {release: source.sources(release) for release in releases}
    known_texts = source.texts(set().union(*ids.values()))
    tables = tables_by_release(ids, known_texts.items())
    annotations = records.read("directives")
    pages = records.Pages(annotations)
    found = forms(
        tables,
        lambda each: each[0],
        lambda each: (each.name, pages.page(each.name, each.module)),
        joined,
    )
    anywhere = {key[0] for key, form in found.items() if not all(each.contexts for each in form.values())}
    names = differing(found, releases, whole=not edition.bundle) - anywhere  # include: no context is named
    known = {(each["name"], each["module"]): each for each in annotations}
    made = [_record(key, form, releases, known) for key, form in sorted(found.items()) if key[0] in names]
    rows = grouped(map(directive, made), "name", DIRECTIVE_FIELDS)
    rows.update({each: [] for each in names if each not in rows})
    said = {
        "releases": {text_of(each.version): text_of(each.base) for each in releases},
        "directives": dict(sorted(rows.items())),
        "variables": grouped(_variables(tables, releases), "name", VARIABLE_FIELDS),
        "parameters": grouped(_parameters(name, source, known_texts, clones), "directive", PARAMETER_FIELDS),
    }
    return said, f"{len(releases)} releases, the newest {text_of(source.newest.version)} of {source.date()}"


def _variables(tables: Any, releases: list[Release]) -> list[Record]:
    found = forms(
        tables,
        lambda each: [one for one in each[1] if "_internal_" not in one.name],
        lambda each: (each.name.lower(), each.family),
        lambda one, _: one,
    )
    have = {family: variables(family) for family in ("http", "stream")}
    return [
        {
            "name": name,
            "family": family,
            "module": None,
            "prefix": form[max(form)].prefix or name.endswith("_"),
            **life(form, releases),
        }
        for (name, family), form in sorted(found.items())
        if (fact := have[family].get(name)) is None or fact.plus_only or fact.third_party
    ]


def _parameters(name: str, source: Source, known: Mapping[str, str], clones: Clones) -> list[Record]:
    """Parameters that the newest release reads and the newest nginx does not, of directives whose parameters are known."""
    git = clones.find(_NGINX)
    if EDITIONS[name].bundle or git is None:
        return []
    ids = set(listed(git, "HEAD", ("src",)).values())
    return added_parameters(
        [known[each] for each in source.sources(source.newest)], list(texts(git, ids).values())
    )


def main() -> None:
    """Read the clones, report, and write where it is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clones", type=Path, help="the directory with the clones")
    parser.add_argument("--only", choices=sorted(EDITIONS), help="one edition")
    parser.add_argument("--write", action="store_true", help="rewrite the data")
    asked = parser.parse_args()
    for name in [asked.only] if asked.only else sorted(EDITIONS):
        try:
            said, words = read(name, Clones(asked.clones))
        except FileNotFoundError as error:
            print(f"{name}: {error}")
            continue
        file = DATA / f"{name}.json"
        before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        print(f"{name}: {words}")
        for part, rows in said.items():
            for line in _changes(before.get(part, {}), rows):
                print(f"  {part}: {line}")
        if asked.write:
            file.write_text(render_parts(said), encoding="utf-8")


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    new = [f"new: {each}" for each in now if each not in before]
    gone = [f"gone: {each}" for each in before if each not in now]
    return [
        *new,
        *gone,
        *(f"changed: {each}" for each in now if each in before and now[each] != before[each]),
    ]


if __name__ == "__main__":
    main()
