"""Helpers for tests of the reader: short ways in, and a second reader to compare with."""

from __future__ import annotations

import re

from nginxaudit.source.text import SourceText
from nginxaudit.syntax.lexer import Lexer
from nginxaudit.syntax.parse import ParsedFile, parse
from nginxaudit.syntax.tree import Problem, Statement, Token

BLANKS = " \t\r\n"
_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "t": "\t", "r": "\r", "n": "\n"}


def lex(text: str) -> tuple[list[Token], list[Problem]]:
    """Words and problems of a text."""
    problems: list[Problem] = []
    return list(Lexer(SourceText("t.conf", text), problems)), problems


def words(text: str) -> list[str]:
    """Words of a text that has no problems."""
    tokens, problems = lex(text)
    assert problems == [], [problem.message for problem in problems]
    return list(tokens)


def read(text: str) -> ParsedFile:
    return parse(SourceText("t.conf", text))


def shape(statements: list[Statement]) -> list[object]:
    """Statements as plain data: name, arguments, and the block if there is one."""
    return [
        [str(each.name), [str(word) for word in each.args]]
        + ([] if each.block is None else [shape(each.block)])
        for each in statements
    ]


def told(parsed: ParsedFile) -> list[tuple[str, int, int]]:
    """Problems as (kind, line, column)."""
    return [(each.kind, *each.source.position(each.start)) for each in parsed.problems]


def resolve(raw: str) -> str:
    """Escapes of a word resolved, one character after the other."""
    out, at = [], 0
    while at < len(raw):
        if raw[at] == "\\" and at + 1 < len(raw) and raw[at + 1] in _ESCAPES:
            out.append(_ESCAPES[raw[at + 1]])
            at += 2
        else:
            out.append(raw[at])
            at += 1
    return "".join(out)


def as_written(text: str, token: Token) -> str:
    """The word that the place of ``token`` spells."""
    raw = text[token.start : token.end]
    return resolve(raw[1:-1] if token.quoted else raw)


def reference(text: str) -> tuple[list[tuple[str, bool]], tuple[str, int] | None]:
    """Words of a text by a slow reader that goes character by character, up to the first error.

    A second opinion, written from the description of nginx's reader and not from our lexer.
    """
    found: list[tuple[str, bool]] = []
    at, size = 0, len(text)
    while at < size:
        char = text[at]
        if char in BLANKS:
            at += 1
        elif char == "#":
            while at < size and text[at] != "\n":
                at += 1
        elif char in ";{}":
            found.append((char, False))
            at += 1
        elif char in "\"'":
            end = _string_end(text, at)
            if end is None:
                return found, ("unclosed-quote", at)
            found.append((resolve(text[at + 1 : end - 1]), True))
            if end < size and text[end] not in BLANKS + ";{)":
                return found, ("unexpected-token", end)
            at = end
        else:
            end = _word_end(text, at)
            found.append((resolve(text[at:end]), False))
            at = end
    return found, None


def _string_end(text: str, start: int) -> int | None:
    at = start + 1
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == text[start]:
            return at + 1
        else:
            at += 1
    return None


def _word_end(text: str, start: int) -> int:
    at, after_dollar = start, False
    while at < len(text):
        char = text[at]
        if char == "{" and after_dollar:
            at += 1  # and the next brace is taken as well
            continue
        if char in BLANKS + ";{":
            return at
        after_dollar = char == "$"
        at += 2 if char == "\\" else 1
    return len(text)


_PLAIN = re.compile(r"[A-Za-z0-9_./:=*~^$|()?+,<>@%&!-]+")


def write(statements: list[Statement], indent: str = "") -> str:
    """Statements as a text that reads the same."""
    lines = []
    for each in statements:
        head = indent + " ".join(map(_spell, [each.word, *each.args]))
        if each.name.endswith("_by_lua_block") and each.args and each.block is None:
            head = indent + " ".join(map(_spell, [each.word, *each.args[:-1]]))
            lines.append(f"{head} {{{each.args[-1]}}}\n")
        elif each.block is None:
            lines.append(f"{head};\n")
        else:
            lines.append(f"{head} {{\n{write(each.block, indent + '    ')}{indent}}}\n")
    return "".join(lines)


def _spell(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return str(word)
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
