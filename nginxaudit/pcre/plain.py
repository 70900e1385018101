"""Expressions that every PCRE compiles, known as such without asking it: to load it takes longer than a small run.

Facts: pcre2pattern(3). What is not plain may be valid all the same: then PCRE2 itself decides.
"""

from __future__ import annotations

_MAX_LENGTH = 500  # characters
_MAX_NAME = 32
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_LITERAL = _WORD | frozenset("/-.,:;=%~@&!<>\"'# ")  # the dot is none, but may stand and be repeated like one
_ESCAPED = frozenset("./-_*+?()[]{}|^$\\:,=&%#~@! dDwWsS")
_IN_CLASS = _WORD | frozenset("/.,:;=%~@&!<>\"'# *+?(){}|$")
_RANGES = ("a-z", "A-Z", "0-9")
_NOT_PLAIN, _NOTHING, _REPEATED, _ITEM = range(4)  # what a quantifier would find before it


def plain_groups(text: str) -> int | None:
    """How many groups the plain expression ``text`` captures; None if it is not plain."""
    groups = depth = at = 0
    names: set[str] = set()
    state = _NOTHING
    while at < len(text) <= _MAX_LENGTH:
        char = text[at]
        at += 1
        if char in "*+?":
            state = _after_quantifier(state, char)
        elif char == "(":
            inside = _inside(text, at, names)
            groups += inside == at or text.startswith("?<", at)
            depth, at, state = depth + 1, inside or at, _NOTHING if inside else _NOT_PLAIN
        elif char == ")":
            depth, state = depth - 1, _ITEM if depth else _NOT_PLAIN
        elif char in "^$|":
            state = _NOTHING
        else:
            end = _item_end(text, char, at)
            at, state = end or at, _ITEM if end else _NOT_PLAIN
        if state == _NOT_PLAIN:
            return None
    return groups if depth == 0 and at == len(text) else None


def _after_quantifier(state: int, char: str) -> int:
    if state == _ITEM:
        return _REPEATED
    return _NOTHING if state == _REPEATED and char != "*" else _NOT_PLAIN


def _item_end(text: str, char: str, at: int) -> int | None:
    """Where the item has ended that begins with ``char`` before ``at``: a literal, a dot, an escape, a class."""
    if char in _LITERAL:
        return at
    if char == "\\":
        return at + 1 if text[at : at + 1] in _ESCAPED else None
    return _class_end(text, at) if char == "[" else None


def _inside(text: str, at: int, names: set[str]) -> int | None:
    """Where the content of the group begins whose parenthesis is before ``at``."""
    if text.startswith("?:", at):
        return at + 2
    if text.startswith("?<", at):
        name, closed, _ = text[at + 2 : at + 4 + _MAX_NAME].partition(">")
        if not closed or not name or name in names or name[0].isdigit() or not _WORD.issuperset(name):
            return None
        names.add(name)
        return at + len(name) + 3
    return None if text[at : at + 1] in ("?", "*") else at


def _class_end(text: str, at: int) -> int | None:
    """Where the class whose bracket is before ``at`` has ended; None for one that is not plain."""
    end = text.find("]", at)
    content = text[at:end].removeprefix("^")
    if content.startswith((":", ".", "=")):  # "[:…:]" is no class of these characters, but a mistake
        return None
    for each in _RANGES:
        content = content.replace(each, "a")
    return end + 1 if end > 0 and content and _IN_CLASS.issuperset(content) else None
