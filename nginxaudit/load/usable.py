"""The facts by which a use of a directive is right."""

from __future__ import annotations

from nginxaudit.model import Model
from nginxaudit.nginx import Availability, DirectiveFact, Nginx, facts_of
from nginxaudit.syntax.tree import Directive


def usable_facts(model: Model, node: Directive) -> list[DirectiveFact]:
    """Facts by which this use of a directive is right: place, availability, arguments, block or not."""
    return facts_of_use(model.target, node.name, node.context, len(node.args), node.is_block)


def facts_of_use(target: Nginx, name: str, context: str, count: int, block: bool) -> list[DirectiveFact]:
    """Facts by which a directive may be used in ``context`` with ``count`` arguments, as a block or not."""
    return [
        fact
        for fact in facts_of(name, target)
        if fact.block == block
        and context in fact.contexts_for(target)
        and fact.available(target) is Availability.YES
        and fact.arguments(target).accepts(count)
    ]
