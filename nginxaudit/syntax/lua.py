"""Where a ``*_by_lua_block`` body ends: braces in Lua's strings and comments do not count."""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"""
      --\[(?P<comment_level>=*)\[      # long comment
    | --[^\n]*                         # comment
    | \[(?P<level>=*)\[                # long string
    | "(?:[^"\\\n]++|\\.)*+"?
    | '(?:[^'\\\n]++|\\.)*+'?
    | (?P<brace>[{}])
    """,
    re.VERBOSE | re.DOTALL,
)


def end_of_lua_block(text: str, start: int) -> int | None:
    """Offset of the ``}`` that closes the block whose body begins at ``start``; None if there is none."""
    depth = 1
    position = start
    while True:
        piece = _PIECE.search(text, position)
        if piece is None:
            return None
        position = piece.end()
        level = piece["level"] if piece["level"] is not None else piece["comment_level"]
        if level is not None:
            closing = text.find(f"]{level}]", position)
            if closing < 0:
                return None
            position = closing + len(level) + 2
        elif piece["brace"] == "{":
            depth += 1
        elif piece["brace"] == "}":
            depth -= 1
            if depth == 0:
                return piece.start()
