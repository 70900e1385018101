"""Names of directives and variables that are misspelt."""

from __future__ import annotations

import re
from functools import cache

from nginxaudit import edits
from nginxaudit.finding import Applicability, Fix
from nginxaudit.load.base import Reference
from nginxaudit.load.usable import facts_of_use
from nginxaudit.model import Model
from nginxaudit.nginx import Availability, Nginx, Target, known_names, variable, variables
from nginxaudit.suggest import clear_match
from nginxaudit.syntax.tree import Directive

_PLAIN_NAME = re.compile(r"\w+")


def directive_name(near: str, target: Nginx, node: Directive) -> Fix | None:
    """``near``, if no other name can be meant and it can stand here as it is written."""
    spelled = node.name.lower().replace("-", "_")
    if near != (spelled if spelled in known_names() else _meant(spelled)):
        return None
    if not facts_of_use(target, near, node.context, len(node.args), node.is_block):
        return None
    made = edits.replaced(node.source, node.start, node.name_end, near)
    return Fix(f"Write {near}", Applicability.UNSAFE, (made,))


@cache
def _meant(spelled: str) -> str | None:
    return clear_match(spelled, known_names())


def variable_name(model: Model, reference: Reference, node: Directive) -> Fix | None:
    """The variable that was meant, when there is one only."""
    name, token, family = reference.name, reference.token, reference.family
    if not _PLAIN_NAME.fullmatch(name) or not any(each is token for each in node.args):
        return None  # of a line of a map this is the block
    known = {*model.variable_definitions(family), *_builtin(family, model.target.target)}
    meant = clear_match(name.lower(), known)
    if meant is None:
        return None
    uses = re.finditer(rf"\$(\{{?){name}(?![A-Za-z0-9_])", edits.written(node, token))
    made = tuple(
        edits.replaced(node.source, token.start + use.end(1), token.start + use.end(), meant) for use in uses
    )
    return Fix(f"Write ${meant}", Applicability.UNSAFE, made) if made else None


@cache
def _builtin(family: str, target: Target) -> tuple[str, ...]:
    return tuple(
        name
        for name in variables(family)
        if (fact := variable(name, family)) is not None
        and not fact.prefix
        and fact.available(target) is Availability.YES
    )
