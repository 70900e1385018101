"""Directives that nginx takes once in a block, used twice in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from msgspec.structs import replace

from nginxaudit.hit import Hit, Place, name_of, whole
from nginxaudit.load.answers import Answers
from nginxaudit.load.base import later_line_deleted
from nginxaudit.model import Model
from nginxaudit.nginx import Asked, Availability, Stretch, facts_of
from nginxaudit.syntax.tree import Directive


class Repeats:
    """What is said of second uses, for every version of ``target``."""

    def __init__(self, model: Model, target: Asked) -> None:
        self._model = model
        self._target = target
        self._once = Answers(self._once_in)

    def of(self, block: Directive) -> Iterator[Hit]:
        """A hit for each child of ``block`` that an earlier one excludes."""
        names = {node.name for node in block.children}
        if len(names) < len(block.children):
            yield from self._repeated(block)
        if "alias" in names and "root" in names:
            yield _root_and_alias(self._model, block)

    def _repeated(self, block: Directive) -> Iterator[Hit]:
        context = block.inner or "unknown"
        first: dict[str, Directive] = {}
        for node in block.children:
            earlier = first.setdefault(node.name, node)
            if earlier is node:
                continue
            parts = self._once[node.name, context]
            versions = tuple(stretch for stretch, once in reversed(parts) if once)
            if versions:
                everywhere = all(once is not False for _, once in parts)
                hit = _duplicate(
                    self._model, node, earlier, f'"{node.name}" directive is duplicate in this block'
                )
                yield hit if everywhere else replace(hit, versions=versions)

    def _once_in(self, name: str, context: str) -> list[tuple[Stretch, bool | None]]:
        return self._target.parts(partial(self._is_once, name, context))

    def _is_once(self, name: str, context: str) -> bool | None:
        """Whether a directive may be given once only; None where there is no such directive: it is refused anyway."""
        facts = [
            fact
            for fact in facts_of(name, self._target)
            if context in fact.contexts and fact.available(self._target) is Availability.YES
        ]
        return all(fact.repeatable is False for fact in facts) if facts else None


def _root_and_alias(model: Model, block: Directive) -> Hit:
    root, alias = block.named("root")[0], block.named("alias")[0]
    earlier, later = sorted((root, alias), key=block.children.index)
    return _duplicate(model, later, earlier, '"root" and "alias" cannot both be set in one location')


def _duplicate(model: Model, node: Directive, earlier: Directive, message: str) -> Hit:
    same = list(node.args) == list(earlier.args)
    remedy = "Delete one of the two: they are identical." if same else "Keep the one you need."
    return Hit(
        name_of(node),
        message,
        node,
        related=(("first used here", _whole(earlier)),),
        help=remedy,
        make_fix=partial(later_line_deleted, model, earlier, node),
    )


def _whole(node: Directive) -> Place:
    return name_of(node) if node.is_block else whole(node)
