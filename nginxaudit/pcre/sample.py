"""A text that an expression matches, to be tried before it is used: what stands around a part is not asked."""

from __future__ import annotations

from nginxaudit.pcre.expression import parse
from nginxaudit.pcre.nodes import (
    LOWER,
    Anchor,
    BackReference,
    Chars,
    Choice,
    Group,
    Node,
    Repeat,
    Sequence,
    between,
    bytes_of,
    members,
)

_USUAL = ("x", "1", "a", "A", "-", "_", "/", " ")
_SHOWN = between("!", "~")
_MOST = 2000  # characters


def sample(pattern: str) -> str:
    """The shortest text of the parts that must be there; "" where the expression is not understood."""
    expression = parse(pattern)
    text = _text(expression.root, {}) if expression is not None else ""
    return text[:_MOST].encode("latin-1").decode("utf-8", "surrogateescape")


def _text(node: Node, groups: dict[int | str, str]) -> str:
    """``groups`` are the texts of the groups before; looks, anchors and what is opaque take nothing."""
    match node:
        case Chars(chars=chars):
            return _one(chars)
        case Sequence(items=items):
            return "".join([_text(each, groups) for each in items])
        case Choice(branches=branches):
            if any(isinstance(each, Anchor) for each in branches):
                return ""
            return next(filter(None, (_text(each, groups) for each in branches)), "")
        case Repeat(item=item, low=low, high=high):
            # Of what may repeat without end, one: a capture is seldom meant to be empty.
            times = low or int(high is None and isinstance(item, Chars))
            return _text(item, groups) * min(times, _MOST) if times else ""
        case Group(item=item, number=number, name=name):
            text = _text(item, groups)
            groups |= {key: text for key in (number, name) if key is not None}
            return text
        case BackReference(group=group):
            return groups.get(group, "")
    return ""


def _one(chars: int) -> str:
    """The member of a set that looks most like a part of a path."""
    usual = next((char for char in _USUAL if chars & bytes_of(char)), None)
    return usual or next(members(chars & LOWER or chars & _SHOWN or chars), "")
