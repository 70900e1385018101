"""What is damaged in the pages of rules: what their front matter says, for checks with and without Python."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.mutants.kinds import DAMAGED

_SEVERITIES = {"info": "warning", "warning": "info", "error": "warning"}
_CONFIDENCES = {"low": "medium", "medium": "low", "high": "low"}
_CONDITIONS = ("contexts", "parameter", "equals", "one-of", "not-one-of", "matches", "above", "below", "in")
_WRITTEN = ("title", "replace", "append", "insert")


class Change(NamedTuple):
    """Another value of a key of the front matter; None leaves it out."""

    kind: str
    keys: tuple[str, ...]
    was: object
    becomes: object


def changes(page: Path) -> Iterator[Change]:
    """All that can be changed in ``page``, in the same order each time."""
    front = tomllib.loads(page.read_text(encoding="utf-8").split("+++\n", 2)[1])
    refused = front.get("rejected-by-nginx", False)
    yield _change("severity", front, "severity", _SEVERITIES[front["severity"]])
    yield _change("confidence", front, "confidence", _CONFIDENCES[front["confidence"]])
    yield Change("refusal", ("rejected-by-nginx",), refused, not refused)
    check, repair = front["check"], front.get("repair", {})
    if "message" in check:
        yield _change("message", check, "message", DAMAGED, "check")
    if "help" in check:
        yield _change("help", check, "help", None, "check")
    for name in _CONDITIONS:
        if name in check:
            yield _change("condition", check, name, None, "check")
    if isinstance(check.get("argument"), int):
        yield _change("condition", check, "argument", check["argument"] + 1, "check")
    for name in _WRITTEN:
        if name in repair:
            yield _change("fix", repair, name, DAMAGED, "repair")
    for name in ("directive", "contexts", "one-of", "not-one-of", "in", "on"):
        if isinstance(check.get(name), list) and len(check[name]) > 1:
            for left in check[name]:
                rest = [each for each in check[name] if each != left]
                yield _change("operand", check, name, rest, "check")


def _change(kind: str, table: Mapping[str, Any], name: str, becomes: object, *above: str) -> Change:
    return Change(kind, (*above, name), table[name], becomes)


def install(slug: str, change: Change) -> None:
    """Make ``change`` in the rule ``slug`` of this process."""
    from nginxaudit.engine.rules import catalogue

    read = catalogue._from_checkout

    def damaged(directory: str) -> tuple[Any, ...]:
        return tuple(_changed(rule, change) if rule.slug == slug else rule for rule in read(directory))

    catalogue.builtin.cache_clear()
    catalogue._from_checkout = damaged


def _changed(rule: Any, change: Change) -> Any:
    import msgspec

    data = table = msgspec.to_builtins(rule)
    *above, name = change.keys
    for key in above:
        table = table[key]
    if change.becomes is None:
        table.pop(name, None)
    else:
        table[name] = change.becomes
    return msgspec.convert(data, type(rule))
