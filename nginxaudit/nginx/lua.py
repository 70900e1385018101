"""Where a ``*_by_lua_block`` body ends: braces in Lua's strings and comments do not count.

The rules are those of lua-nginx-module's own reader, which is stricter than Lua: a string ends on
its line, even behind a backslash, and a quote that is not closed there is a character like any other.
"""

from __future__ import annotations

import re

from nginxaudit.nginx.patterns import compiled

_PIECE = r"""
      --\[(?P<comment_level>=*)\[      # long comment
    | --[^\n]*                         # comment
    | \[(?P<level>=*)\[                # long string
    | (?P<quote>["'])
    | (?P<brace>[{}])
    """
_STRING_REST = {
    '"': r'(?:[^"\\\n]++|\\[^\n])*+"',
    "'": r"(?:[^'\\\n]++|\\[^\n])*+'",
}


def end_of_lua_block(text: str, start: int) -> int | None:
    """Offset of the ``}`` that closes the block whose body begins at ``start``; None if there is none."""
    depth = 1
    position = start
    unclosed = {'"': -1, "'": -1}  # up to where no string of that quote closes: nothing is searched twice
    while True:
        piece = compiled(_PIECE, re.VERBOSE).search(text, position)
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
        elif (quote := piece["quote"]) is not None and position > unclosed[quote]:
            rest = compiled(_STRING_REST[quote]).match(text, position)
            if rest is not None:
                position = rest.end()
            else:
                line_end = text.find("\n", position)
                unclosed[quote] = line_end if line_end >= 0 else len(text)
