"""The records: one file a kind, one record a line, what is empty left out.

What command tables say is renewed in them (`RENEWED`); everything else was read in nginx's source and documentation by
people (repeat, inheritance, order, defaults, notes, all of closed and third-party modules) and is kept.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.facts.checkout import Version
from tools.facts.history import Seen
from tools.facts.tables import Arguments, Command

Record = dict[str, Any]
FOLDER = Path(__file__).parent / "records"
RENEWED = ("contexts", "args", "block", "since", "also_in", "until", "removed_in", "history")


def read(name: str) -> list[Record]:
    """The records of one kind."""
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def write(name: str, records: Sequence[Record]) -> None:
    """Write them, sorted as they are."""
    lines = [json.dumps(_full(record), ensure_ascii=False, separators=(", ", ": ")) for record in records]
    (FOLDER / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _full(record: Record) -> Record:
    return {
        key: value
        for key, value in record.items()
        if value not in (None, [], False) or (value is False and key in _SAID)
    }


_SAID = ("repeatable", "inheritable")  # no and not known are not the same


class Pages:
    """Which page documents the directives of a C module, as far as the records know it."""

    def __init__(self, directives: Sequence[Record]) -> None:
        self._own: dict[tuple[str, str], str] = {}
        counted: dict[str, Counter[str]] = {}
        for record in directives:
            for module in record.get("c_modules") or ():
                self._own[record["name"], module] = record["module"]
                counted.setdefault(module, Counter())[record["module"]] += 1
        self._most = {module: pages.most_common(1)[0][0] for module, pages in counted.items()}

    def page(self, name: str, module: str) -> str:
        """The page of one directive."""
        return (
            self._own.get((name, module))
            or self._most.get(module)
            or module.replace("_filter_module", "_module")
        )


def text_of(version: tuple[int, ...]) -> str:
    """A version as the records write it."""
    return ".".join(map(str, version))


def as_record(seen: Seen[Command], releases: Sequence[Version]) -> Record:
    """What the tables say of a directive, in the fields of `RENEWED`."""
    life = seen.life
    after = None if life.until is None else releases[releases.index(life.until) + 1]
    return {
        "contexts": sorted(seen.newest.contexts),
        "args": arguments_as_record(seen.newest.arguments),
        "block": seen.newest.block,
        "since": text_of(life.since),
        "also_in": [_range(first, last) for first, last in life.earlier] or None,
        "until": None if life.until is None else text_of(life.until),
        "removed_in": None if after is None else text_of(after),
        "history": [change for each in reversed(seen.changes) for change in changes_of(*each)] or None,
    }


def _range(first: Version, last: Version) -> str:
    return text_of(first) if first == last else f"{text_of(first)}-{text_of(last)}"


def arguments_as_record(arguments: Arguments) -> Record:
    """Argument counts in the form of the records."""
    said: Record = {"min": arguments.minimum, "max": arguments.maximum, "flag": arguments.flag}
    return {**said, "counts": list(arguments.counts)} if arguments.counts else said


def changes_of(version: tuple[int, ...], old: Command, new: Command) -> list[Record]:
    """What was different before a release, as an entry of `history`; none where contexts and arguments were the same."""
    change: Record = {"version": text_of(version)}
    if new.contexts - old.contexts:
        change["contexts_added"] = sorted(new.contexts - old.contexts)
    if old.contexts - new.contexts:
        change["contexts_removed"] = sorted(old.contexts - new.contexts)
    if old.arguments != new.arguments:
        change["args"] = arguments_as_record(new.arguments)
    return [change] if len(change) > 1 else []


def renewed(record: Record, said: Record, first: str) -> Record:
    """``record`` with what the tables say of the releases from ``first`` on; what was before that is kept."""
    made = dict(record)
    for name in ("args", "block", "until", "removed_in"):
        made[name] = said[name]
    if said["contexts"] and said["contexts"] != sorted(record.get("contexts") or ()):
        made["contexts"] = said["contexts"]
    if said["since"] != first:
        before = [each for each in record.get("also_in") or () if _key(each.rpartition("-")[2]) < _key(first)]
        made["since"], made["also_in"] = said["since"], [*before, *(said["also_in"] or ())] or None
    kept = [each for each in record.get("history") or () if _key(each["version"]) <= _key(first)]
    newer = [each for each in record.get("history") or () if _key(each["version"]) > _key(first)]
    now = said["history"] or []
    made["history"] = kept + (newer if list(map(_plain, newer)) == list(map(_plain, now)) else now)
    return made


def _key(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _plain(change: Record) -> Record:
    return {key: sorted(value) if isinstance(value, list) else value for key, value in change.items()}


def differences(record: Record, other: Record) -> list[str]:
    """The fields of `RENEWED` in which two records differ, in words."""
    found = []
    for name in RENEWED:
        have, now = record.get(name) or None, other.get(name) or None
        if have != now:
            found.append(f"{name}: {json.dumps(have)} -> {json.dumps(now)}")
    return found
