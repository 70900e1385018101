"""What repairs have in common: the word or the pass that a hit is about, and a directive taken out."""

from __future__ import annotations

from nginxaudit.checks.base import Hit
from nginxaudit.finding import Edit
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.repairs import edits
from nginxaudit.syntax.tree import Directive, Token

Edits = tuple[Edit, ...] | None
"""What a repair makes; None where it is not sure."""


def deletion(node: Directive) -> Edits:
    """``node`` taken out; None when a comment stands inside it, which would be lost."""
    end = node.statement.end if node.statement.close is None else node.statement.close
    return None if "#" in node.source.text[node.start : end] else (edits.deleted(node),)


def found_word(hit: Hit) -> Token | None:
    """The argument that a hit points at."""
    if hit.node is None or hit.node.source is not hit.place.source:
        return None
    return next((token for token in hit.node.args if token.start == hit.place.start), None)


def pass_of(hit: Hit, model: Model) -> Pass | None:
    """The pass directive that ``hit`` is about."""
    block = hit.node.parent if hit.node is not None else None
    passes = model.passes_in(block) if block is not None else ()
    return next((each for each in passes if each.directive is hit.node), None)
