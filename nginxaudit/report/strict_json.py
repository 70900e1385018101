"""JSON that every reader accepts, in lines that people can read and compare.

The output is ASCII, so no encoding of a pipe or a file can spoil it. A lone surrogate (an undecodable
byte of a configuration) has no place in JSON: it becomes U+FFFD, the replacement character.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from nginxaudit.report.sanitize import unicode_only

_SPACED = (", ", ": ")
_DENSE = (",", ":")


def compact(value: Any, separators: tuple[str, str] = _SPACED) -> str:
    """``value`` on one line."""
    line = json.JSONEncoder(ensure_ascii=False, separators=separators).encode(value)
    if line.isascii():
        return line
    return json.JSONEncoder(separators=separators).encode(json.loads(unicode_only(line)))


def write(stream: TextIO, value: Any, depth: int, *, dense: bool = False) -> None:
    """Write ``value`` with its outer ``depth`` levels over several lines and the rest compact, ``dense`` without spaces.

    An iterator within these levels is written as an array, as it comes.
    """
    stream.writelines(_pieces(value, depth, "", _DENSE if dense else _SPACED))
    stream.write("\n")


def _pieces(value: Any, depth: int, indent: str, separators: tuple[str, str]) -> Iterator[str]:
    if depth == 0 or not value or not isinstance(value, dict | list | Iterator):
        yield compact(value, separators)
        return
    inner = indent + separators[0].replace(",", " ")
    items: Iterable[tuple[str, Any]]
    if isinstance(value, dict):
        opening, closing = "{", "}"
        items = ((f"{compact(key)}: ", item) for key, item in value.items())
    else:
        opening, closing = "[", "]"
        items = (("", item) for item in value)
    yield opening
    separator = "\n"
    for label, item in items:
        yield f"{separator}{inner}{label}"
        yield from _pieces(item, depth - 1, inner, separators)
        separator = ",\n"
    yield f"\n{indent}{closing}"
