"""A text that an expression matches, to be tried before it is used: what stands around a part is not asked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

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
    walk,
)

_USUAL = tuple([(char, bytes_of(char)) for char in "x1aA-_/ "])
_SHOWN = between("!", "~")
_MOST = 2000  # characters


def sample(pattern: str, given: Mapping[int, str] | None = None) -> str:
    """The shortest text of the parts that must be there; "" where the expression is not understood.

    ``given`` are texts that groups take, by number, whether they match them or not.
    """
    return _made(pattern, given) if given else _plain(pattern)


@lru_cache(maxsize=512)
def _plain(pattern: str) -> str:
    return _made(pattern, {})


def _made(pattern: str, given: Mapping[int, str]) -> str:
    expression = parse(pattern)
    taken: dict[int | str, str] = {
        -number: text.encode("utf-8", "surrogateescape").decode("latin-1") for number, text in given.items()
    }
    return _decoded(_text(expression.root, taken, {})) if expression is not None else ""


def samples(pattern: str, most: int) -> list[str]:
    """`sample`, and the texts in which one choice takes another of its branches; at most ``most``."""
    expression = parse(pattern)
    if expression is None:
        return []
    found = {sample(pattern): None}
    for choice in walk(expression.root):
        for branch in choice.branches if isinstance(choice, Choice) else ():
            found.setdefault(_decoded(_text(expression.root, {}, {choice: branch})))
            if len(found) >= most:
                return list(found)
    return list(found)


def _decoded(text: str) -> str:
    return text[:_MOST].encode("latin-1").decode("utf-8", "surrogateescape")


def _text(node: Node, groups: dict[int | str, str], chosen: Mapping[Node, Node]) -> str:
    """``groups`` are the texts of the groups before, under minus their number what one is given; looks, anchors and what is opaque take nothing.

    ``chosen`` are branches that choices take, whichever comes first.
    """
    match node:
        case Chars(chars=chars):
            return _one(chars)
        case Sequence(items=items):
            return "".join([_text(each, groups, chosen) for each in items])
        case Choice() if node in chosen:
            return _text(chosen[node], groups, chosen)
        case Choice(branches=branches):
            if any(isinstance(each, Anchor) for each in branches):
                return ""
            return next(filter(None, (_text(each, groups, chosen) for each in branches)), "")
        case Repeat(item=item, low=low, high=high):
            # Of what may repeat without end, one: a capture is seldom meant to be empty.
            times = low or int(high is None and isinstance(item, Chars)) or int(_is_given(item, groups))
            return _text(item, groups, chosen) * min(times, _MOST) if times else ""
        case Group(item=item, number=number, name=name):
            text = groups[-(number or 0)] if _is_given(node, groups) else _text(item, groups, chosen)
            groups |= {key: text for key in (number, name) if key is not None}
            return text
        case BackReference(group=group):
            return groups.get(group, "")
    return ""


def _is_given(node: Node, groups: dict[int | str, str]) -> bool:
    return isinstance(node, Group) and node.number is not None and -node.number in groups


@lru_cache(maxsize=256)
def _one(chars: int) -> str:
    """The member of a set that looks most like a part of a path."""
    usual = next((char for char, its in _USUAL if chars & its), None)
    return usual or next(members(chars & LOWER or chars & _SHOWN or chars), "")
