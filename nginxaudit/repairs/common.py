"""What repairs have in common: the word, the pass or the group that a hit is about, and a directive taken out."""

from __future__ import annotations

from nginxaudit.finding import Edit
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.peer import Peer
from nginxaudit.model.upstream import Upstream
from nginxaudit.syntax.tree import Directive, Token

Edits = tuple[Edit, ...] | None
"""What a repair makes; None where it is not sure."""


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


def group_of(node: Directive | None, model: Model) -> Upstream | None:
    """The group that ``node`` is, or stands in."""
    block = model.enclosing(node, "upstream") if node is not None else None
    if block is None or not block.args:
        return None
    found = model.upstream(block.args[0], model.family_of(block))
    return found if found is not None and found.directive is block else None


def member(hit: Hit, model: Model) -> tuple[Upstream, Peer] | None:
    """The server line of ``hit`` with its group."""
    upstream = group_of(hit.node, model)
    peer = next((each for each in upstream.peers if each.directive is hit.node), None) if upstream else None
    return (upstream, peer) if upstream and peer else None
