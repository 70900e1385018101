"""Buffers that do not fit together."""

from __future__ import annotations

from nginxaudit import edits
from nginxaudit.hit import Edits
from nginxaudit.load.buffers import Buffers
from nginxaudit.model import Model
from nginxaudit.syntax.tree import Directive


def fitting(model: Model, buffers: Buffers, node: Directive) -> Edits:
    """Buffers large and many enough; where the busy ones alone are too large, these are made smaller.

    ``node`` is the last of the lines that count, so its block has them all in effect.
    """
    block, protocol = node.parent, buffers.protocol
    if block is None:
        return None
    number, largest, room = buffers.number, buffers.largest, buffers.room
    busy = model.size(block, f"{protocol}_busy_buffers_size", 0)
    if busy is None:
        return None
    for name in ("busy_buffers_size", "temp_file_write_size"):
        least = model.size(block, f"{protocol}_{name}", largest)
        if least is not None and least < largest and number >= 2:
            return _set(model, block, f"{protocol}_{name}", _size(2 * largest))
    if number >= 2 and largest <= room < busy:
        return _set(model, block, f"{protocol}_busy_buffers_size", _size(room))
    if number >= 2 and (busy or 2 * largest) <= room:
        return None  # something else is wrong
    count = max(number if number > 2 else 8, -(-busy // largest) + 1)
    text = f"{count} {_size(largest)}"
    here = _set(model, block, f"{protocol}_buffers", text)
    return here or (edits.after(node, f"{protocol}_buffers {text};"),)


def _size(value: int) -> str:
    return str(value) if value % 1024 else f"{value // 1024}k"


def _set(model: Model, block: Directive, name: str, value: str) -> Edits:
    """The line ``name`` of ``block`` itself with another value; None where it is inherited, or nowhere."""
    lines = model.effective(block, name)
    return (edits.rewritten(lines[0], f"{name} {value}"),) if lines and lines[0].parent is block else None
