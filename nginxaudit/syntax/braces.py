"""Which brace is missing or too many: nginx only says that the file ended, indentation says more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from msgspec import Struct

from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Problem

_INDENT = r"[ \t\r]*"

Seen: TypeAlias = tuple[int, int, int]
"""A brace as it is read: its offset, and those of the directive's name; -1 twice for a closing one."""


class Brace(Struct, frozen=True):
    """One brace: ``at`` is its offset, ``indent`` the columns before the first word of its line.

    For an opening brace ``name_start``/``name_end`` are the offsets of the directive's name.
    For a closing one ``first`` says that it is the first thing on its line.
    """

    opening: bool
    at: int
    indent: int
    first: bool = True
    name_start: int = 0
    name_end: int = 0


class Diagnosis(Struct, frozen=True):
    """``missing``: (unclosed opening brace, offset where its ``}`` belongs); ``extra``: braces too many."""

    missing: tuple[tuple[Brace, int], ...] = ()
    extra: tuple[Brace, ...] = ()


def located(text: str, seen: Iterable[Seen]) -> list[Brace]:
    """The braces ``seen`` in ``text``, with their indentation. It is looked for where a text does not balance only."""
    braces = []
    line_start = searched = 0
    for at, name_start, name_end in seen:
        opening = name_start >= 0
        start = name_start if opening else at
        # Only what is new is searched: all braces of a generated file may stand on one line.
        newline = text.rfind("\n", searched, start)
        searched = start
        if newline >= 0:
            line_start = newline + 1
        blanks = compiled(_INDENT).match(text, line_start)
        content = blanks.end() if blanks else start
        indent = len(text[line_start:content].expandtabs(8))
        braces.append(Brace(opening, at, indent, content == start, max(name_start, 0), max(name_end, 0)))
    return braces


def diagnose(braces: list[Brace], end: int) -> Diagnosis:
    """Explain an unbalanced sequence of braces; ``end`` is the length of the text."""
    guess = _by_indentation(braces, end)
    return guess if guess is not None else _plainly(braces, end)


def _by_indentation(braces: list[Brace], end: int) -> Diagnosis | None:
    """The diagnosis that indentation suggests, or None when following it does not balance the file."""
    stack: list[Brace] = []
    missing: list[tuple[Brace, int]] = []
    extra: list[Brace] = []
    surplus = sum(1 if brace.opening else -1 for brace in braces)
    for brace in braces:
        if brace.opening:
            if surplus > len(missing) and stack and 0 < brace.indent <= stack[-1].indent:
                missing.append((stack.pop(), brace.name_start))
            stack.append(brace)
            continue
        if not stack:
            extra.append(brace)
            continue
        if brace.first and surplus > len(missing):
            while len(stack) > 1 and brace.indent < stack[-1].indent and surplus > len(missing):
                if not any(outer.indent == brace.indent for outer in stack[:-1]):
                    break
                missing.append((stack.pop(), brace.at))
        elif brace.first and brace.indent > stack[-1].indent and surplus + len(extra) < 0:
            extra.append(brace)
            continue
        stack.pop()
    missing.extend((brace, end) for brace in reversed(stack))
    return Diagnosis(tuple(missing), tuple(extra)) if len(missing) - len(extra) == surplus else None


def _plainly(braces: list[Brace], end: int) -> Diagnosis:
    stack: list[Brace] = []
    extra: list[Brace] = []
    for brace in braces:
        if brace.opening:
            stack.append(brace)
        elif stack:
            stack.pop()
        else:
            extra.append(brace)
    return Diagnosis(tuple((brace, end) for brace in reversed(stack)), tuple(extra))


def brace_problems(source: SourceText, diagnosis: Diagnosis) -> Iterator[Problem]:
    """What the diagnosis says, for people."""
    for brace, at in diagnosis.missing:
        name = source.text[brace.name_start : brace.name_end]
        if not name.strip("{"):
            continue  # a brace without a directive has been told already
        where = "the file ends" if at >= len(source.text) else f"line {source.position(at)[0]} begins"
        yield Problem(
            "unmatched-braces",
            f'the "{name}" block is never closed',
            source,
            brace.name_start,
            brace.at + 1,
            help=f'Close it with "}}" before {where}.',
            related=(
                (("its } probably belongs before this", source, at, at + 1),) if at < len(source.text) else ()
            ),
            analysed=False,
        )
    for brace in diagnosis.extra:
        yield Problem(
            "unmatched-braces",
            'unexpected "}": no block is open here',
            source,
            brace.at,
            brace.at + 1,
            help="Delete it, or look above for a block that is closed too early.",
            analysed=False,
        )
