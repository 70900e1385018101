"""Reading a configuration as nginx reads it: every directive judged by its grammar, in order.

Directives that nginx does not even look at (unknown, in the wrong place, with a wrong number of
arguments) are told by `nginxaudit.checks.syntax.usage` and passed over here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from weakref import WeakKeyDictionary

from nginxaudit.checks.base import CheckContext, Hit, Place, arg, name_of, whole
from nginxaudit.checks.load.base import FINALS, GRAMMARS, Grammar, Load, Mistake, Use
from nginxaudit.checks.load.types import grammar_of_type
from nginxaudit.checks.syntax.usage import usable_facts
from nginxaudit.model import Model
from nginxaudit.nginx import PSEUDO_CONTEXTS, context_family
from nginxaudit.syntax.tree import Directive

for _name in (
    "access", "filters", "groups", "listening", "logs", "machine", "mail", "maps", "mime", "passing", "rewriting", "serving",
    "structure", "tls", "zones",
):  # fmt: skip
    import_module(f"nginxaudit.checks.load.{_name}")

_RESULTS: WeakKeyDictionary[Model, dict[str, list[Hit]]] = WeakKeyDictionary()


def told_by_loading(ctx: CheckContext) -> Iterable[Hit]:
    """Hits of the running rule among everything that loading the configuration brings to light."""
    result = _RESULTS.get(ctx.model)
    if result is None:
        result = _RESULTS[ctx.model] = {}
        for node, mistake in _Reader(ctx.model).mistakes():
            result.setdefault(mistake.rule, []).append(_hit(ctx.model, node, mistake))
    return result.get(ctx.rule, ())


class _Reader:
    def __init__(self, model: Model) -> None:
        self._load = Load(model, model.target)
        self._plans: dict[tuple[str, str, int, bool], tuple[Grammar, ...]] = {}

    def mistakes(self) -> Iterator[tuple[Directive, Mistake]]:
        stack = [(node, "main") for node in reversed(self._load.model.config.top.children)]
        while stack:
            node, outer = stack.pop()
            family = context_family(node.context)
            if family == "main":
                family = outer
            plan = self._plan(node, family)
            if plan and not self._load.model.is_filled_in(node):
                use = Use(node, family, self._load)
                for grammar in plan:
                    for mistake in grammar(use):
                        yield mistake.node or node, mistake
            if node.children and node.inner not in _DATA:
                stack.extend((child, family) for child in reversed(node.children))
        for final in FINALS:
            for mistake in final(self._load):
                if mistake.node is not None:
                    yield mistake.node, mistake

    def _plan(self, node: Directive, family: str) -> tuple[Grammar, ...]:
        """The grammars for a directive used like this; none where its use is wrong already."""
        key = (node.name, node.context, len(node.args), node.is_block)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._grammars(node, family)
        return plan

    def _grammars(self, node: Directive, family: str) -> tuple[Grammar, ...]:
        facts = usable_facts(self._load.model, node)
        if not facts:
            return ()
        own = tuple(GRAMMARS.get((family, node.name), ()))
        typed = grammar_of_type(facts[0])
        return (*own, typed) if typed else own


_DATA = PSEUDO_CONTEXTS | {"unknown", None}


def _hit(model: Model, node: Directive, mistake: Mistake) -> Hit:
    if node is model.config.top:  # there is no directive to point at
        place = Place(model.config.main, 0, 0)
    elif mistake.token is not None and mistake.token is not node.name:
        place = arg(node, mistake.token)
    else:
        place = name_of(node) if node.is_block or mistake.token is node.name else whole(node)
    return Hit(
        place,
        mistake.message,
        node,
        related=tuple(
            (word, name_of(other) if other.is_block else whole(other)) for word, other in mistake.related
        ),
        severity=mistake.severity,
        confidence=mistake.confidence,
        rejected=mistake.rejected,
        help=mistake.help,
    )
