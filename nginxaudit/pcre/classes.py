"""Sets of bytes that expressions have names for, in PCRE's C locale and without UTF-8 mode.

Facts: pcre2pattern(3), sections "Backslash", "Square brackets and character classes".
"""

from __future__ import annotations

from nginxaudit.pcre.nodes import ALL, DIGITS, LOWER, SPACE, UPPER, WORD, between, bytes_of

_VERTICAL = bytes_of("\n\v\f\r\x85")
_HORIZONTAL = bytes_of("\t \xa0")
_GRAPH = between("!", "~")

SHORTHAND = {
    "d": DIGITS, "D": ALL ^ DIGITS, "w": WORD, "W": ALL ^ WORD, "s": SPACE, "S": ALL ^ SPACE,
    "h": _HORIZONTAL, "H": ALL ^ _HORIZONTAL, "v": _VERTICAL, "V": ALL ^ _VERTICAL,
}  # fmt: skip
"""``\\d`` and its like, in and outside of brackets."""

LINE_BREAK = _VERTICAL
"""What ``\\R`` begins with."""

ESCAPES = {"a": "\a", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

POSIX = {
    "alpha": UPPER | LOWER, "digit": DIGITS, "alnum": UPPER | LOWER | DIGITS, "upper": UPPER, "lower": LOWER,
    "space": SPACE, "blank": bytes_of(" \t"), "punct": _GRAPH & ~(UPPER | LOWER | DIGITS), "graph": _GRAPH,
    "print": _GRAPH | bytes_of(" "), "cntrl": between("\0", "\x1f") | bytes_of("\x7f"),
    "xdigit": DIGITS | between("a", "f") | between("A", "F"), "word": WORD, "ascii": between("\0", "\x7f"),
}  # fmt: skip


def fold(chars: int) -> int:
    """The set with both cases of its letters."""
    return chars | (chars & UPPER) << 32 | (chars & LOWER) >> 32
