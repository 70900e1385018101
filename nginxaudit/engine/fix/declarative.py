"""The ``[repair]`` table of a rule page, compiled: what is put in or taken out, said in one line.

The keys are those of `RepairTable`; the placeholders of its texts are filled in by `edits.fill`.
"""

from __future__ import annotations

from collections.abc import Callable

from nginxaudit import edits
from nginxaudit.engine.rules.rule import RepairTable
from nginxaudit.finding import Edit
from nginxaudit.hit import Hit
from nginxaudit.syntax.tree import Directive

Repair = Callable[[Hit], tuple[Edit, ...] | None]


def compile_repair(table: RepairTable) -> Repair:
    """The repair that ``table`` describes."""
    if table.delete is not None:
        return _delete(table.delete)
    if table.replace is not None:
        return _replace(table.replace, table.what)
    return _append(table.append) if table.append is not None else _insert(table.insert or "", table.where)


def _delete(what: str) -> Repair:
    def repair(hit: Hit) -> tuple[Edit, ...] | None:
        if hit.node is None:
            return None
        if what == "directive":
            return None if edits.holds_comment(hit.node) else (edits.deleted(hit.node),)
        return tuple(
            edits.without(hit.node, token) for token in hit.node.args if token.start == hit.place.start
        )

    return repair


def _replace(template: str, what: str) -> Repair:
    def repair(hit: Hit) -> tuple[Edit, ...] | None:
        if hit.node is None:
            return None
        text = edits.fill(template, hit, hit.node)
        if what == "directive":
            return (edits.rewritten(hit.node, text),)
        return (edits.replaced(hit.place.source, hit.place.start, hit.place.end, text),)

    return repair


def _append(template: str) -> Repair:
    return lambda hit: (
        None if hit.node is None else (edits.appended(hit.node, edits.fill(template, hit, hit.node)),)
    )


def _insert(template: str, where: str) -> Repair:
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
