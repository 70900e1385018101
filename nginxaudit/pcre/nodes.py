"""The parts of an expression. Sets of bytes are whole numbers: bit N stands for the byte N."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

ALL = (1 << 256) - 1
NOTHING = 0


def bytes_of(text: str) -> int:
    """The set of the characters of ``text``, each below 256."""
    result = 0
    for char in text:
        result |= 1 << ord(char)
    return result


def between(first: str, last: str) -> int:
    """The set from ``first`` to ``last``, both included."""
    return (1 << (ord(last) + 1)) - (1 << ord(first))


def members(chars: int) -> Iterator[str]:
    """The characters of a set, in order."""
    while chars:
        lowest = chars & -chars
        yield chr(lowest.bit_length() - 1)
        chars ^= lowest


NEWLINE = bytes_of("\n")
DIGITS = between("0", "9")
UPPER = between("A", "Z")
LOWER = between("a", "z")
WORD = DIGITS | UPPER | LOWER | bytes_of("_")
SPACE = bytes_of(" \t\n\v\f\r")


class Node(Struct, frozen=True, eq=False):
    """Any part. ``start`` and ``end`` are offsets into the text of the expression."""

    start: int
    end: int


class Chars(Node, frozen=True, eq=False):
    """One byte out of a set. ``kind``: ``literal``, ``dot``, or ``class`` for ``[…]`` and ``\\d``."""

    chars: int
    kind: str


class Sequence(Node, frozen=True, eq=False):
    """Parts behind each other."""

    items: tuple[Node, ...]


class Choice(Node, frozen=True, eq=False):
    """Branches of which one matches; the first that does is tried first."""

    branches: tuple[Node, ...]


class Repeat(Node, frozen=True, eq=False):
    """``item`` ``low`` to ``high`` times (None: no limit). ``possessive``: never given back."""

    item: Node
    low: int
    high: int | None
    possessive: bool


class Group(Node, frozen=True, eq=False):
    """Parentheses. ``number`` is None without capture; ``atomic``: never entered again."""

    item: Node
    number: int | None
    name: str | None = None
    atomic: bool = False


class Look(Node, frozen=True, eq=False):
    """A look ahead or behind: it takes no bytes."""

    item: Node
    ahead: bool
    negative: bool


class Anchor(Node, frozen=True, eq=False):
    """A place: ``start`` or ``end`` of the text, ``line`` (either end of a line), ``word`` for a boundary."""

    kind: str


class BackReference(Node, frozen=True, eq=False):
    """What a group matched, once more. ``group``: its number or its name."""

    group: int | str


class Opaque(Node, frozen=True, eq=False):
    """Something whose meaning is not followed: recursion, a condition, a verb. Takes anything or nothing."""


def children(node: Node) -> tuple[Node, ...]:
    """The parts of a part."""
    match node:
        case Sequence(items=items):
            return items
        case Choice(branches=branches):
            return branches
        case Repeat(item=item) | Group(item=item) | Look(item=item):
            return (item,)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """``node`` and everything in it, in order."""
    stack = [node]
    while stack:
        at = stack.pop()
        yield at
        stack.extend(reversed(children(at)))
