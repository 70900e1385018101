"""What the annotation of a field says: its type, its choices, and what is noted beside it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

from msgspec import Meta


def metas(annotation: Any) -> Iterator[Meta]:
    """What is said about a field besides its type."""
    if get_origin(annotation) is Annotated:
        yield from (each for each in get_args(annotation)[1:] if isinstance(each, Meta))


def plain(annotation: Any) -> Any:
    """The type of a field: without what is said about it, and without the None of one that may be left out."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = [each for each in get_args(annotation) if each is not type(None)]
    return members[0] if len(members) == 1 and type(None) in get_args(annotation) else annotation


def choices(annotation: Any) -> tuple[str, ...]:
    """The words that a field may have, in their order; none where it is not a choice."""
    kind = plain(annotation)
    if get_origin(kind) is Literal:
        return tuple(map(str, get_args(kind)))
    return tuple(each.value for each in kind) if isinstance(kind, type) and issubclass(kind, Enum) else ()


def spelled(value: object) -> str:
    """A word, a number or a flag as a table has it, without quotation marks."""
    return str(value.value if isinstance(value, Enum) else value)
