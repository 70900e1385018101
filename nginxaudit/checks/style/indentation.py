"""How deep lines are indented: every file once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.style.lines import line_start, report
from nginxaudit.hit import CheckContext, Edits, Hit
from nginxaudit.model import Model
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Comment, Directive, Statement

_SPACES = re.compile(r"[ \t]*")
_UNSOUND = frozenset(
    {"missing-semicolon", "unclosed-quote", "unexpected-token", "unmatched-braces", "limit-exceeded"}
)


def indentation(ctx: CheckContext) -> Iterable[Hit]:
    """Lines that are not indented as deep as the other ones of their depth; the width is that of the file."""
    for source, unit, wrong in misplaced_lines(ctx.model):
        name = "a tab" if "\t" in unit else f"{len(unit)} spaces"
        yield from report(
            source,
            [(start, end) for start, end, _ in wrong],
            f"inconsistent indentation: the file indents by {name}",
            "Indent each block one level deeper than the block around it.",
            partial(_indented, source, wrong, ctx.model),
        )


def misplaced_lines(model: Model) -> Iterator[tuple[SourceText, str, list[tuple[int, int, str]]]]:
    """Every file with such lines: its unit, and for each line the white space it has and should have."""
    lines: dict[str, tuple[SourceText, list[tuple[int, int, str]]]] = {}
    seen: set[int] = set()
    for node, depth in _with_depth(model):
        statement = node.statement
        if id(statement) in seen:
            continue
        seen.add(id(statement))
        start = node.source.text.rfind("\n", 0, statement.start) + 1
        blank = node.source.text[start : statement.start]
        if not blank.strip(" \t"):
            lines.setdefault(node.source.path, (node.source, []))[1].append((start, depth, blank))
    for source, found in lines.values():
        unit, wrong = _judge(found)
        if wrong:
            yield source, unit, wrong


def _with_depth(model: Model) -> Iterator[tuple[Directive, int]]:
    """Directives with their depth in the file they stand in."""
    depths: dict[Directive, int] = {model.config.top: -1}
    for node in model.config.top.walk():
        parent = node.parent
        same = parent is not None and (parent.parent is None or parent.source.path == node.source.path)
        depth = depths.get(parent, -1) + 1 if same and parent is not None else 0
        if node.is_block:
            depths[node] = depth
        yield node, depth


def _judge(lines: list[tuple[int, int, str]]) -> tuple[str, list[tuple[int, int, str]]]:
    """The unit of a file, and its lines that do not fit: the white space of each, and what it should be."""
    units = Counter(blank for _, depth, blank in lines if depth == 1 and blank)
    if not units:
        return "", []
    unit, _ = units.most_common(1)[0]
    # Some leave the content of http or of the top unindented: the depth of the first level is what most lines have.
    levels = {blank: _levels(blank, unit) for blank in {blank for _, _, blank in lines}}
    offsets = Counter(levels[blank] - depth for _, depth, blank in lines if depth)
    usual = offsets.most_common(1)[0][0]
    return unit, [
        (start, start + len(blank), unit * _level(depth, usual))
        for start, depth, blank in lines
        if depth and levels[blank] not in (depth, depth + usual)
    ]


def _level(depth: int, usual: float) -> int:
    level = depth + usual
    return int(level) if level >= 0 and level == int(level) else depth


def _levels(blank: str, unit: str) -> float:
    """How often ``unit`` is in the white space of a line; a broken number where it does not fit."""
    if ("\t" in blank) != ("\t" in unit) and blank:
        return -0.5
    return len(blank) / len(unit)


# -- the fix: lines, and what hangs on to them


def _indented(source: SourceText, wrong: list[tuple[int, int, str]], model: Model) -> Edits:
    """All lines of the file at their depth, with the lines and comments that hang on to them.

    None for a file whose structure is not sound: its depths are guesses, which other fixes will change.
    """
    if source.path in model.once(_unsound):
        return None
    wanted = {start: (end, new) for start, end, new in wrong}
    for statement in model.once(_statements).get(source.path, ()):
        first = line_start(source, statement.start)
        if first in wanted:
            wanted.update(_hanging(source, statement, *wanted[first]))
    for comment in model.once(_comments).get(source.path, ()):
        wanted.update(_comment_above(source, comment, wanted))
    return tuple(edits.replaced(source, start, end, new) for start, (end, new) in wanted.items())


def _unsound(model: Model) -> set[str]:
    return {each.source.path for each in model.config.problems if each.kind in _UNSOUND}


def _statements(model: Model) -> dict[str, list[Statement]]:
    """The statements of every file, each once."""
    found: dict[str, dict[int, Statement]] = {}
    for node in model.config.top.walk():
        found.setdefault(node.source.path, {})[id(node.statement)] = node.statement
    return {path: list(statements.values()) for path, statements in found.items()}


def _comments(model: Model) -> dict[str, list[Comment]]:
    """The comments of every file that stand on lines of their own, the last one first."""
    found: dict[str, list[Comment]] = {}
    for comment in reversed(model.config.comments):
        if comment.own_line:
            found.setdefault(comment.source.path, []).append(comment)
    return found


def _hanging(
    source: SourceText, statement: Statement, end: int, new: str
) -> Iterator[tuple[int, tuple[int, str]]]:
    """The closing brace of a moved block, and further lines of a moved directive."""
    text, start = source.text, line_start(source, statement.start)
    old = text[start:end]
    close = statement.close
    if close is not None:
        line = line_start(source, close)
        if line > start and not text[line:close].strip(" \t"):
            yield line, (close, new)
    strings = [(token.start, token.end) for token in statement.args if "\n" in token]
    line = text.find("\n", start, statement.end) + 1
    while 0 < line < statement.end:
        stop = _blank_end(text, line)
        is_data = any(first < line <= last for first, last in strings)
        if not is_data and text.startswith(old, line) and text[stop : stop + 1] not in ("\r", "\n"):
            yield line, (stop, new + text[line + len(old) : stop])
        line = text.find("\n", line, statement.end) + 1


def _comment_above(
    source: SourceText, comment: Comment, wanted: dict[int, tuple[int, str]]
) -> Iterator[tuple[int, tuple[int, str]]]:
    """A comment that stands right above a moved line and is aligned with it."""
    text, start = source.text, line_start(source, comment.start)
    below = text.find("\n", comment.start) + 1
    if below in wanted and start not in wanted:
        end, new = wanted[below]
        if text[below:end] == text[start : comment.start]:
            yield start, (comment.start, new)


def _blank_end(text: str, line: int) -> int:
    found = _SPACES.match(text, line)
    return found.end() if found else line
