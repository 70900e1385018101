"""Captures that flawed versions of nginx copy beyond their buffers: the fixes of the rules in `advisories`."""

from __future__ import annotations

import re

from nginxaudit import edits
from nginxaudit.finding import Edit
from nginxaudit.hit import Edits
from nginxaudit.model import Model
from nginxaudit.model.expressions import condition, map_expression
from nginxaudit.model.variables import references
from nginxaudit.pcre import Expression, parse
from nginxaudit.pcre.nodes import BackReference, Group, Node, Opaque, walk
from nginxaudit.syntax.tree import Directive, Token

_PLAIN = r"[A-Za-z0-9_.~-]*"  # the same in a URL, escaped or not


def captures_named(rewrite: Directive, reader: Directive, model: Model) -> Edits:
    """Names for the groups that ``set`` or ``if`` reads after a rewrite of the same block."""
    token = _reading(reader)
    if token is None or not _follows(rewrite, reader):
        return None
    numbers = dict.fromkeys(
        each.name for each in references(token) if each.name.isdigit() and each.name != "0"
    )
    return _named(rewrite, reader, token, list(map(int, numbers)), model)


def _follows(rewrite: Directive, reader: Directive) -> bool:
    """Whether both are in one block, and no other expression is tried between them."""
    block = reader.parent
    if block is None or rewrite not in block.children:
        return False
    script = block.children[: block.children.index(reader)]
    return not any(each.name in ("rewrite", "if") for each in script[script.index(rewrite) + 1 :])


def _reading(node: Directive) -> Token | None:
    """The word of a ``set`` or a comparison that reads captures."""
    if node.name == "set" and len(node.args) > 1:
        return node.args[1]
    asked = condition(node) if node.name == "if" else None
    return asked.token if asked is not None else None


def inner_group_named(node: Directive, expression: Expression, model: Model) -> Edits:
    """A name for one of two nested groups, where escaping would change nothing of what it captures."""
    used = {int(each.name) for each in references(node.args[1]) if each.name.isdigit()}
    for number in sorted(used, reverse=True):
        texts = expression.group_texts(number)
        outer = expression.parents.get(number)
        if outer in used and texts and all(re.fullmatch(_PLAIN, each) for each in texts):
            return _named(node, node, node.args[1], [number], model)
    return None


def _named(rewrite: Directive, reader: Directive, token: Token, numbers: list[int], model: Model) -> Edits:
    """Names for groups of a rewrite, and in the word that reads them."""
    pattern = rewrite.args[0]
    expression = parse(pattern)
    if expression is None:
        return None
    groups = {each.number: each for each in walk(expression.root) if isinstance(each, Group)}
    names = {number: name for name, number in expression.names.items()}
    made: list[Edit] = []
    for number in numbers:
        if number in names:
            continue
        at = (
            edits.written_at(rewrite, pattern, str(pattern), groups[number].start + 1)
            if number in groups
            else None
        )
        if at is None:
            return None
        names[number] = _free_name(number, model)
        made.append(edits.replaced(rewrite.source, at, at, f"?<{names[number]}>"))
    return (*made, _by_name(reader, token, {number: names[number] for number in numbers}))


def _by_name(node: Directive, token: Token, names: dict[int, str]) -> Edit:
    def name(match: re.Match[str]) -> str:
        found = names.get(int(match[1] or match[2]))
        follows = match.string[match.end() : match.end() + 1]
        if found is None:
            return match[0]
        return f"${{{found}}}" if follows.isalnum() or follows == "_" else f"${found}"

    raw = edits.written(node, token)
    return edits.exchanged(node, token, re.sub(r"\$(?:\{(\d)\}|(\d))", name, raw))


def _free_name(number: int, model: Model) -> str:
    """A name that no file mentions."""
    texts = [source.text.lower() for source in model.config.sources.values()]
    name, count = f"part{number}", 1
    while any(name in text for text in texts):
        count += 1
        name = f"part{number}_{count}"
    return name


def groups_dropped(block: Directive) -> Edits:
    """``(?:…)`` in the keys of the map that capture for nothing."""
    made = [edit for line in block.children if line.source is block.source for edit in _ungrouped(line)]
    return tuple(made) or None


def _ungrouped(line: Directive) -> list[Edit]:
    text = map_expression(line.name)[1] if line.name.startswith("~") else ""
    expression = parse(text) if text else None
    if expression is None or _refers(line, expression.root):
        return []
    groups = [
        each
        for each in walk(expression.root)
        if isinstance(each, Group) and each.number is not None and each.name is None
    ]
    places = [edits.written_at(line, line.word, text, each.start + 1) for each in groups]
    return [edits.replaced(line.source, at, at, "?:") for at in sorted(filter(None, places))]


def _refers(line: Directive, root: Node) -> bool:
    """Whether something counts the groups of a key."""
    if any(isinstance(each, BackReference | Opaque) for each in walk(root)):
        return True
    return any(each.name.isdigit() for token in line.args for each in references(token))
