"""Lines that may be there once only."""

from __future__ import annotations

from nginxaudit import edits
from nginxaudit.hit import Edits, name_of, whole
from nginxaudit.model import Model
from nginxaudit.syntax.tree import Directive


def later_line(model: Model, earlier: Directive, node: Directive) -> Edits:
    """``node`` deleted when it is equal to ``earlier``; of different lines it is not known which one is meant."""
    if node.is_block or not edits.on_one_line(node) or _words(node) != _words(earlier):
        return None
    if earlier.source is node.source and earlier.start == node.start:
        return None  # one line, in a file that is included twice
    if node.via is not None and model.config.entered.get(node.source.path, 1) > 1:
        return None  # in other places the file stands in it is the only one
    return (edits.deleted(node),)


def _words(node: Directive) -> list[str]:
    place = name_of(node) if node.is_block else whole(node)
    return place.source.text[place.start : place.end].split()
