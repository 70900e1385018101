"""Bracketed character classes of PCRE2, such as ``[^a-z\\d[:space:]]``."""

from __future__ import annotations

from nginxaudit.pcre.classes import ESCAPES, POSIX, SHORTHAND, fold
from nginxaudit.pcre.cursor import Cursor, NotUnderstoodError
from nginxaudit.pcre.nodes import ALL, Chars, between, bytes_of


def bracket(cursor: Cursor, start: int) -> Chars:
    """The class that was opened at ``start``; the cursor is after its ``[``."""
    negated = cursor.peek("^")
    cursor.at += negated
    chars, first = 0, True
    while first or not cursor.peek("]"):
        if cursor.at >= len(cursor.text):
            raise NotUnderstoodError("a bracket is not closed")
        chars |= _member(cursor)
        first = False
    cursor.at += 1
    if cursor.flags.caseless:
        chars = fold(chars)
    return Chars(start, cursor.at, ALL ^ chars if negated else chars, "class")


def _member(cursor: Cursor) -> int:
    """One member of a bracket: a class, a character, or a range."""
    posix = cursor.match(r"\[:(\^?)([a-z]+):\]") if cursor.peek("[:") else None
    if posix is not None:
        if posix[2] not in POSIX:
            raise NotUnderstoodError(f"unknown class [:{posix[2]}:]")
        cursor.at = posix.end()
        return ALL ^ POSIX[posix[2]] if posix[1] else POSIX[posix[2]]
    if cursor.peek("[.") or cursor.peek("[="):
        raise NotUnderstoodError("collating elements")
    first = _member_char(cursor)
    if isinstance(first, int):
        return first
    if not cursor.peek("-") or cursor.text[cursor.at + 1 : cursor.at + 2] in ("]", ""):
        return bytes_of(first)
    mark = cursor.at
    cursor.at += 1
    last = "-" if cursor.peek("[:") else _member_char(cursor)
    if isinstance(last, int) or cursor.peek("[:"):
        cursor.at = mark + 1  # "[a-\\d]": the hyphen stands for itself
        return bytes_of(first + "-")
    if last < first:
        raise NotUnderstoodError("a range out of order")
    return between(first, last)


def _member_char(cursor: Cursor) -> str | int:
    """A character of a bracket, or the set of an escape such as ``\\w``."""
    char = cursor.text[cursor.at]
    if char != "\\":
        cursor.at += 1
        return char
    if cursor.peek("\\Q") or cursor.peek("\\E"):
        raise NotUnderstoodError("\\Q in brackets")
    octal = cursor.match(r"\\([0-7]{1,3})")
    if octal is not None:
        cursor.at = octal.end()
        return chr(int(octal[1], 8) & 255)
    code = cursor.code()
    if code is not None:
        return code
    char = cursor.text[cursor.at + 1 : cursor.at + 2]
    cursor.at += 2
    if char in SHORTHAND:
        return SHORTHAND[char]
    if char == "b":
        return "\b"
    if char in ESCAPES:
        return ESCAPES[char]
    if not char or (char.isascii() and char.isalnum()):
        raise NotUnderstoodError(f"\\{char} in brackets")
    return char
