"""Repairs of white space, of the order of locations, and of rewrites that a return can replace.

A finding about white space stands for all such places of its file: its fix mends all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from nginxaudit import edits
from nginxaudit.checks.routing.redirects import as_return
from nginxaudit.checks.style.lines import (
    blanks_at_line_ends,
    blanks_before_semicolons,
    carriage_returns,
    misplaced_lines,
)
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Comment, Directive, Statement

Edits = tuple[Edit, ...] | None
_ByFile = Callable[[Model], Iterable[tuple[Any, ...]]]  # yields a source first, what it has last

_BLANKS = re.compile(r"[ \t]*")
_OF_NGINX = re.compile(r"\$\{?(?:scheme|server_name|server_port)\b\}?")
_FOUND: WeakKeyDictionary[Model, dict[_ByFile, dict[str, list[Any]]]] = WeakKeyDictionary()


def _of_file(hit: Hit, model: Model, find: _ByFile) -> list[Any]:
    """What ``find`` has found in the file of ``hit``; it is asked once for all files."""
    known = _FOUND.setdefault(model, {})
    if find not in known:
        known[find] = {found[0].path: found[-1] for found in find(model)}
    return known[find].get(hit.place.source.path, [])


# -- ends of lines


def trailing_whitespace(hit: Hit, model: Model) -> Edits:
    """All blanks at line ends of the file taken out."""
    return _cleared(hit, _of_file(hit, model, blanks_at_line_ends))


def space_before_semicolon(hit: Hit, model: Model) -> Edits:
    """All blanks before semicolons of the file taken out."""
    places = _of_file(hit, model, blanks_before_semicolons)
    return _cleared(hit, [(start, end - 1) for start, end in places])


def line_endings(hit: Hit, model: Model) -> Edits:
    """All lines of the file end with LF; in a string a CR is data and stays."""
    return _cleared(hit, _of_file(hit, model, carriage_returns))


def _cleared(hit: Hit, places: list[tuple[int, int]]) -> Edits:
    return tuple(edits.replaced(hit.place.source, start, end, "") for start, end in places)


def final_newline(hit: Hit, model: Model) -> Edits:
    """The last line ends, once."""
    source = hit.place.source
    text, end = source.text, len(source.text)
    first = text.find("\n", len(text.rstrip(" \t\r\n")))
    if first >= 0:
        return (edits.replaced(source, first + 1, end, ""),)
    return (edits.replaced(source, end, end, edits.line_end(source)),)


# -- indentation


_UNSOUND = frozenset(
    {"missing-semicolon", "unclosed-quote", "unexpected-token", "unmatched-braces", "limit-exceeded"}
)


def indentation(hit: Hit, model: Model) -> Edits:
    """All lines of the file at their depth, with the lines and comments that hang on to them.

    None for a file whose structure is not sound: its depths are guesses, which other repairs will change.
    """
    source = hit.place.source
    if any(problem.source is source and problem.kind in _UNSOUND for problem in model.config.problems):
        return None
    wanted = {start: (end, new) for start, end, new in _of_file(hit, model, misplaced_lines)}
    for statement in _of_file(hit, model, _statements):
        first = _line_start(source, statement.start)
        if first in wanted:
            wanted.update(_hanging(source, statement, *wanted[first]))
    for comment in reversed(_of_file(hit, model, _comments)):
        wanted.update(_comment_above(source, comment, wanted))
    return tuple(edits.replaced(source, start, end, new) for start, (end, new) in wanted.items())


def _statements(model: Model) -> Iterator[tuple[SourceText, list[Statement]]]:
    """The statements of every file, each once."""
    found: dict[str, dict[int, Statement]] = {}
    for node in model.config.top.walk():
        found.setdefault(node.source.path, {})[id(node.statement)] = node.statement
    for path, statements in found.items():
        yield model.config.sources[path], list(statements.values())


def _comments(model: Model) -> Iterator[tuple[SourceText, list[Comment]]]:
    """The comments of every file that stand on lines of their own."""
    found: dict[str, list[Comment]] = {path: [] for path in model.config.sources}
    for comment in model.config.comments:
        if comment.own_line:
            found[comment.source.path].append(comment)
    for path, comments in found.items():
        yield model.config.sources[path], comments


def _hanging(
    source: SourceText, statement: Statement, end: int, new: str
) -> Iterator[tuple[int, tuple[int, str]]]:
    """The closing brace of a moved block, and further lines of a moved directive."""
    text, start = source.text, _line_start(source, statement.start)
    old = text[start:end]
    close = statement.close
    if close is not None:
        line = _line_start(source, close)
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
    text, start = source.text, _line_start(source, comment.start)
    below = text.find("\n", comment.start) + 1
    if below in wanted and start not in wanted:
        end, new = wanted[below]
        if text[below:end] == text[start : comment.start]:
            yield start, (comment.start, new)


def _line_start(source: SourceText, at: int) -> int:
    return source.text.rfind("\n", 0, at) + 1


def _blank_end(text: str, line: int) -> int:
    found = _BLANKS.match(text, line)
    return found.end() if found else line


# -- order of locations


def location_order(hit: Hit, model: Model) -> Edits:
    """The locations of a server in the order of their kinds; those of one kind stay as they are."""
    server = model.server_of(hit.node) if hit.node is not None else None
    if server is None:
        return None
    locations = [each.directive for each in server.locations]
    source = server.directive.source
    spans = [_block_lines(each) if each.source is source else None for each in locations]
    ranks = [_rank(each) for each in server.locations]
    moved = []
    order = sorted(range(len(locations)), key=lambda index: ranks[index])
    for place, index in zip(spans, order, strict=True):
        block = spans[index]
        if place is None or block is None:
            return None
        if place != block:
            moved.append(edits.replaced(source, *place, source.text[slice(*block)]))
    return tuple(moved)


def _rank(location: Location) -> int:
    if location.is_exact:
        return 0
    return 3 if location.is_named else 2 if location.is_regex else 1


def _block_lines(block: Directive) -> tuple[int, int] | None:
    """A block with the comments right above it and behind it; None if it shares a line with anything else."""
    source, close = block.source, block.statement.close
    text, start = source.text, _line_start(source, block.start)
    if close is None or text[start : block.start].strip(" \t"):
        return None
    end = text.find("\n", close)
    end = len(text) if end < 0 else end
    behind = text[close + 1 : end].strip()
    if behind and not behind.startswith("#"):
        return None
    while start > 0:
        above = _line_start(source, start - 1)
        if not text[above:start].lstrip(" \t").startswith("#"):
            break
        start = above
    return start, end


# -- redirects


def return_instead(hit: Hit, model: Model) -> Fix | None:
    """``return`` with the same target.

    A rewrite decodes the path that it sends, ``/a%2Fb`` becomes ``/a/b``; return leaves it alone. So only a
    target without a part of the request stays the same for certain.
    """
    node = hit.node
    if node is None or len(node.args) < 2:
        return None
    token, flags = node.args[1], [str(flag) for flag in node.args[2:]]
    raw, url = edits.written(node, token), as_return(str(node.args[0]), str(token))
    if url is None or "\\" in raw or not edits.on_one_line(node):
        return None
    quote = raw[0] if token.quoted else ""
    code = "301" if flags == ["permanent"] else "302"
    variable = _OF_NGINX.sub("", url)
    same = "$" not in variable and "%" not in variable
    return Fix(
        "Write return",
        Applicability.SAFE if same else Applicability.UNSAFE,
        (edits.rewritten(node, f"return {code} {quote}{url}{quote}"),),
    )
