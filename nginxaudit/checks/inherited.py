"""Lists of which a block has its own or the outer one, never both: adding to them, and repeating the outer lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nginxaudit import edits
from nginxaudit.finding import Edit
from nginxaudit.hit import Edits
from nginxaudit.model import Model
from nginxaudit.nginx.secrets import mask_secrets
from nginxaudit.syntax.tree import Directive

_MOST_REPEATED = 50  # lines


def level_of(block: Directive, model: Model, name: str) -> Directive | None:
    """The block, from ``block`` outwards, whose lines ``name`` are in effect."""
    found = model.effective(block, name)
    return found[0].parent if found else None


def repeated(nodes: Iterable[Directive]) -> str | None:
    """``nodes`` as lines that are written once more.

    A file that holds nothing else is included once more. None where a line cannot be written again as it
    is, or holds a secret: there shall be no second copy of it. None, too, where there are many: a copy of thousands
    in each of thousands of blocks helps nobody.
    """
    known = dict.fromkeys(nodes)
    if len(known) > _MOST_REPEATED:
        return None
    alone: dict[Directive, bool] = {}
    lines: dict[str, None] = {}
    for node in known:
        include = node.via
        if include is not None and include not in alone:
            alone[include] = _holds_only(include, known)
        whole = include if include is not None and alone[include] else node
        words = [str(whole.name), *(edits.written(whole, token) for token in whole.args)]
        lines[f"{' '.join(words)};"] = None
    text = "\n".join(lines)
    if text.count("\n") >= len(lines) or "\r" in text or mask_secrets(text) != text:
        return None
    return text


def _holds_only(include: Directive, nodes: Iterable[Directive]) -> bool:
    """Whether everything that ``include`` puts into its block is among ``nodes``."""
    block = include.parent
    return block is not None and all(child in nodes for child in block.children if child.via is include)


def added(block: Directive, model: Model, text: str, beside: Directive | None = None) -> Edit | None:
    """``text``, a line of a list, in ``block``, and what the block inherits if it had no such line.

    It is put behind the lines of its kind, else behind ``beside``. None where it is not known, or differs
    from place to place, what the block inherits.
    """
    name = text.split(maxsplit=1)[0]
    texts = {_completed(each, model, name, text) for each in model.copies(block)}
    made = texts.pop()
    return None if texts or made is None else put(block, name, made, beside)


def _completed(block: Directive, model: Model, name: str, text: str) -> str | None:
    if model.unknown_inside(block, direct=True):
        return None
    if block.named(name) or merges(block, name):
        return text
    if model.may_be_set(block, name):
        return None
    inherited = model.effective(block, name)
    before = repeated(inherited)
    return f"{before}\n{text}" if before else None if inherited else text


def put(block: Directive, name: str, text: str, beside: Directive | None = None) -> Edit:
    """``text`` behind the last ``name`` of ``block``, else behind ``beside``, else at its end."""
    own = block.named(name)
    node = own[-1] if own else beside
    while node is not None and node.source.path != block.source.path:
        node = node.via  # it comes from another file: behind the line that includes that
    return edits.last_in(block, text) if node is None else edits.after(node, text)


def merges(block: Directive, name: str) -> bool:
    """Whether the mode in effect keeps the outer lines, or drops them on purpose."""
    at: Directive | None = block
    while at is not None:
        mode = at.first(f"{name}_inherit")
        if mode is not None and mode.args:
            return mode.args[0] in ("merge", "off")
        at = at.parent
    return False


def again(
    block: Directive, name: str, model: Model, lost: Callable[[Model, Directive, str], list[Directive]]
) -> Edits:
    """What ``block`` has lost; None if it is not the same in all places in which the file stands."""
    texts = {
        None if model.unknown_inside(each, direct=True) else repeated(lost(model, each, name))
        for each in model.copies(block)
    }
    text = texts.pop()
    return (put(block, name, text),) if text and not texts else None
