"""The ``[repair]`` table of a rule page, compiled: what is put in or taken out, said in one line.

Keys (documented in ``rules/README.md``): ``title``, and one of ``delete``, ``replace``, ``append`` or
``insert`` with ``where``. Placeholders: ``{found}`` the text at the finding's place, ``{directive}``,
``{args}``, ``{1}`` … ``{9}`` the arguments as they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nginxaudit import edits
from nginxaudit.finding import Edit
from nginxaudit.hit import Hit
from nginxaudit.syntax.tree import Directive

KEYS = ("delete", "replace", "append", "insert")
PARTS = ("directive", "found")
PLACES = ("before", "after", "first", "last")

Repair = Callable[[Hit], tuple[Edit, ...] | None]


class RepairError(ValueError):
    """A ``[repair]`` table that is not understood; the message gives the reason."""


def compile_repair(spec: Mapping[str, Any]) -> Repair:
    """The repair that ``spec`` describes. Raises `RepairError`."""
    unknown = sorted(set(spec) - {*KEYS, "title", "what", "where"})
    if unknown:
        raise RepairError(f"unknown keys: {', '.join(unknown)}")
    actions = [key for key in KEYS if key in spec]
    if len(actions) != 1 or not isinstance(spec.get("title"), str):
        raise RepairError(f"it has a title and one of {', '.join(KEYS)}")
    return _ACTIONS[actions[0]](spec)


def _delete(spec: Mapping[str, Any]) -> Repair:
    what = _one_of(spec, "delete", PARTS)

    def repair(hit: Hit) -> tuple[Edit, ...] | None:
        if hit.node is None:
            return None
        if what == "directive":
            return None if edits.holds_comment(hit.node) else (edits.deleted(hit.node),)
        return tuple(
            edits.without(hit.node, token) for token in hit.node.args if token.start == hit.place.start
        )

    return repair


def _replace(spec: Mapping[str, Any]) -> Repair:
    template, what = _text(spec, "replace"), spec.get("what", "directive")
    if what not in PARTS:
        raise RepairError(f"what is one of {', '.join(PARTS)}, not {what!r}")

    def repair(hit: Hit) -> tuple[Edit, ...] | None:
        if hit.node is None:
            return None
        text = edits.fill(template, hit, hit.node)
        if what == "directive":
            return (edits.rewritten(hit.node, text),)
        return (edits.replaced(hit.place.source, hit.place.start, hit.place.end, text),)

    return repair


def _append(spec: Mapping[str, Any]) -> Repair:
    template = _text(spec, "append")
    return lambda hit: (
        None if hit.node is None else (edits.appended(hit.node, edits.fill(template, hit, hit.node)),)
    )


def _insert(spec: Mapping[str, Any]) -> Repair:
    template, where = _text(spec, "insert"), spec.get("where", "")
    if not isinstance(where, str) or not where:
        raise RepairError(f"where is one of {', '.join(PLACES)}, or the name of the enclosing block")
    place = {"before": edits.before, "after": edits.after}.get(where)

    def repair(hit: Hit) -> tuple[Edit, ...] | None:
        node = hit.node
        if node is None:
            return None
        text = edits.fill(template, hit, node)
        if place is not None:
            return (place(node, text),)
        if where == "last":
            return (edits.last_in(node, text),) if node.is_block else None
        block = node if where == "first" else _enclosing(node, where)
        return (edits.first_in(block, text),) if block is not None and block.is_block else None

    return repair


def _enclosing(node: Directive, name: str) -> Directive | None:
    return next((each for each in (node, *node.ancestors()) if each.name == name), None)


def _text(spec: Mapping[str, Any], key: str) -> str:
    if not isinstance(spec[key], str):
        raise RepairError(f"{key} is a text")
    return str(spec[key])


def _one_of(spec: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> str:
    if spec[key] not in allowed:
        raise RepairError(f"{key} is one of {', '.join(allowed)}, not {spec[key]!r}")
    return str(spec[key])


_ACTIONS = {"delete": _delete, "replace": _replace, "append": _append, "insert": _insert}
