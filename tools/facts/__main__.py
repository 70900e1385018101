"""Renew what is known about nginx from a checkout of its source.

    python -m tools.facts CHECKOUT [--from 1.3.0] [--head] [--write]

reads the command tables and variables of all releases in CHECKOUT (a clone of nginx with its tags), compares them with
the records beside this file (older releases are in them already), and says in words what is new, gone or different, and which directives people must look at.
With --write the records and nginxaudit/nginx/data/ are rewritten. Without CHECKOUT only the data are made of the records.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tools.facts import records
from tools.facts.checkout import Checkout, Version
from tools.facts.compiled import DATA, compiled
from tools.facts.history import Seen, Walk, walk
from tools.facts.tables import Variable
from tools.facts.types import type_of

_ANNOTATED = ("default", "repeatable", "repeat", "inherits")
"""What no table says: a new directive should be checked until its record has the first two of them."""


class Report:
    """What is found, in words, by heading."""

    def __init__(self) -> None:
        self._parts: dict[str, list[str]] = {}

    def add(self, heading: str, line: str) -> None:
        """One more line below a heading."""
        self._parts.setdefault(heading, []).append(line)

    def __str__(self) -> str:
        parts = [
            f"{heading} ({len(lines)})\n" + "\n".join(f"  {line}" for line in lines)
            for heading, lines in self._parts.items()
        ]
        return "\n\n".join(parts)


def renew_directives(
    known: Sequence[records.Record], found: Walk, pages: records.Pages, report: Report
) -> list[records.Record]:
    """The records of directives with what the tables say now."""
    first = records.text_of(found.releases[0])
    made = {(each["name"], each["module"]): each for each in known}
    same = 0
    for key, seen in found.directives.items():
        said = records.as_record(seen, found.releases)
        record = made.get(key)
        if record is None:
            made[key] = _new(key, seen.newest.module, type_of(seen.newest.handler), said)
            report.add(
                "New directives", f"{key[0]} ({key[1]}), since {said['since']}: {', '.join(said['contexts'])}"
            )
            report.add("To be looked at", f"{key[0]} ({key[1]}): {', '.join(_ANNOTATED)}")
            continue
        now = records.renewed(record, said, first)
        changed = records.differences(record, now)
        same += not changed
        for line in changed:
            report.add("Changed directives", f"{key[0]} ({key[1]}): {line}")
        made[key] = now
    for name, module in sorted(made.keys() - found.directives.keys()):
        record = made[name, module]
        is_there = record.get("c_modules") and not record.get("until")
        if is_there and _version(record.get("since") or "0.0.0") <= found.releases[-1]:
            report.add("Not in the source any more", f"{name} ({module})")
    report.add("Directives that are as they were", f"{same} of {len(found.directives)} in the source")
    return [made[key] for key in sorted(made)]


def _new(key: tuple[str, str], module: str, kind: str, said: records.Record) -> records.Record:
    return {
        "name": key[0],
        "module": key[1],
        "c_modules": [module],
        "type": kind,
        **said,
        "status": "current",
    }


def renew_variables(
    known: Sequence[records.Record], found: dict[tuple[str, str], Seen[Variable]], report: Report
) -> list[records.Record]:
    """The records of variables, with those that are new."""
    made = list(known)
    names = {(each["name"], each["family"]) for each in known}
    for (name, family), seen in found.items():
        if (name, family) not in names and seen.life.until is None and "_internal_" not in name:
            since = records.text_of(seen.life.since)
            made.append({"name": name, "family": family, "prefix": seen.newest.prefix, "since": since})
            report.add("New variables (their module is to be added)", f"${name} ({family}), since {since}")
    return made


def _version(text: str) -> Version:
    major, minor, patch = map(int, text.split("."))
    return major, minor, patch


def main() -> None:
    """Read the checkout, report, and write where it is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", nargs="?", type=Path, help="a clone of nginx, with its tags")
    parser.add_argument(
        "--from", dest="oldest", type=_version, default=(1, 3, 0), help="the oldest release that is read"
    )
    parser.add_argument("--head", action="store_true", help="what is checked out counts as the next release")
    parser.add_argument("--write", action="store_true", help="rewrite the records and the data")
    asked = parser.parse_args()
    report = Report()
    if asked.checkout is not None:
        _renew(asked.checkout, asked.oldest, report, head=asked.head, write=asked.write)
    for name, text in compiled().items():
        same = (DATA / name).read_text(encoding="utf-8") == text
        report.add("Data", f"{name}: {'as it was' if same else 'changed'}")
        if asked.write and not same:
            (DATA / name).write_text(text, encoding="utf-8")
    print(report)


def _renew(directory: Path, oldest: Version, report: Report, *, head: bool, write: bool) -> None:
    checkout = Checkout(directory)
    releases = checkout.releases(oldest, head=head)
    if not releases:
        raise SystemExit(
            f"{directory}: no release since {records.text_of(oldest)} is tagged there: git fetch --tags"
        )
    newest = releases[-1]
    report.add(
        "Releases", f"{len(releases)}, the newest {records.text_of(newest)} of {checkout.date(newest)}"
    )
    directives = records.read("directives")
    pages = records.Pages(directives)
    found = walk(checkout, releases, pages.page)
    made = renew_directives(directives, found, pages, report)
    variables = renew_variables(records.read("variables"), found.variables, report)
    if write:
        records.write("directives", made)
        records.write("variables", variables)


if __name__ == "__main__":
    main()
