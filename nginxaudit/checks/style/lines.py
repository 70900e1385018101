"""White space: every file once, one finding per file and rule with its first places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

from nginxaudit import edits
from nginxaudit.hit import CheckContext, Edits, Hit, MakeFix, Place
from nginxaudit.model import Model
from nginxaudit.nginx.contexts import DATA_BLOCKS
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Directive

_TRAILING = r"(?<![\\ \t])[ \t]+(?=\r?\n|\Z)"  # a blank behind a backslash belongs to its word
_RETURN = r"\r(?=\n)"
_SHOWN = 4

Places = list[tuple[int, int]]


def _found(model: Model, pattern: str) -> Iterator[tuple[SourceText, Places]]:
    """Every file that was read, with the places of ``pattern``, those in data left out."""
    found = {
        source.path: [each.span() for each in re.finditer(pattern, source.text)]
        for source in model.config.texts
    }
    data = _data(model) if any(found.values()) else {}
    for source in model.config.texts:
        yield source, list(_outside(found[source.path], sorted(data.get(source.path, []))))


def _data(model: Model) -> dict[str, Places]:
    """Stretches of files that are data: quoted strings over several lines, code."""
    data: dict[str, Places] = {}
    seen: set[int] = set()
    for node in model.config.top.walk():
        statement = node.statement
        if id(statement) in seen or not statement.args:
            continue
        seen.add(id(statement))
        raw = "_by_lua" in statement.name
        for token in statement.args:
            if raw or "\n" in token or "\r" in token:
                data.setdefault(node.source.path, []).append((token.start, token.end))
    return data


def _outside(places: Iterable[tuple[int, int]], data: Places) -> Iterator[tuple[int, int]]:
    """Places that are in none of the stretches; both in order."""
    at = 0
    for start, end in places:
        while at < len(data) and data[at][1] <= start:
            at += 1
        if at == len(data) or start < data[at][0]:
            yield start, end


def report(
    source: SourceText, places: Places, what: str, help_: str, make_fix: MakeFix | None = None
) -> Iterator[Hit]:
    """One finding for all ``places`` of a file, at the first one; ``make_fix`` fixes all of them."""
    if places:
        count = f" ({len(places)} lines)" if len(places) > 1 else ""
        yield Hit(
            Place(source, *places[0]),
            what + count,
            related=tuple(("also here", Place(source, *each)) for each in islice(places, 1, _SHOWN)),
            help=help_,
            make_fix=make_fix,
        )


def trailing_whitespace(ctx: CheckContext) -> Iterable[Hit]:
    """Blanks at the end of lines."""
    for source, found in _at_line_ends(ctx.model):
        yield from report(
            source, found, "trailing whitespace", "Remove them.", partial(_cleared, source, found)
        )


def _at_line_ends(model: Model) -> Iterator[tuple[SourceText, Places]]:
    """Every file with its blanks at line ends, those of data left out."""
    return _found(model, _TRAILING)


def space_before_semicolon(ctx: CheckContext) -> Iterable[Hit]:
    """Blanks before the semicolon that ends a directive."""
    for source, found in _before_semicolons(ctx.model):
        spaces = [(start, end - 1) for start, end in found]
        yield from report(
            source, found, "space before the semicolon", "Remove them.", partial(_cleared, source, spaces)
        )


def _before_semicolons(model: Model) -> Iterator[tuple[SourceText, Places]]:
    """Every file that has such blanks, each place with its semicolon."""
    seen: set[int] = set()
    places: dict[str, tuple[SourceText, Places]] = {}
    files = {each.path for each in model.config.texts if " ;" in each.text or "\t;" in each.text}
    for node in model.config.top.walk() if files else ():
        statement = node.statement
        if statement.block is not None or node.source.path not in files or id(statement) in seen:
            continue
        seen.add(id(statement))
        last = statement.args[-1].end if statement.args else statement.name_end
        between = node.source.text[last : statement.end]
        if between.endswith(";") and len(between) > 1 and not between[:-1].strip(" \t"):
            places.setdefault(node.source.path, (node.source, []))[1].append((last, statement.end))
    yield from places.values()


def line_endings(ctx: CheckContext) -> Iterable[Hit]:
    """Lines that end as on Windows, or some so and some not."""
    for source in ctx.model.config.texts:
        first = source.text.find("\r\n")
        if first < 0:
            continue
        both = source.text.count("\r\n"), source.text.count("\n")
        what = "lines end with CRLF" if both[0] == both[1] else f"{both[0]} of {both[1]} lines end with CRLF"
        yield Hit(
            Place(source, first, first + 2),
            what,
            help="Convert the file to LF.",
            make_fix=partial(_without_returns, source, ctx.model),
        )


def _without_returns(source: SourceText, model: Model) -> Edits:
    """All lines of the file end with LF; in a string a CR is data and stays."""
    return _cleared(source, model.once(_returns).get(source.path, []))


def _returns(model: Model) -> dict[str, Places]:
    return {source.path: places for source, places in _found(model, _RETURN)}


def _cleared(source: SourceText, places: Places) -> Edits:
    return tuple(edits.replaced(source, start, end, "") for start, end in places)


def line_start(source: SourceText, at: int) -> int:
    """Where the line of an offset begins."""
    return source.text.rfind("\n", 0, at) + 1


def block_too_long(ctx: CheckContext) -> Iterable[Hit]:
    """Blocks that no screen shows; asked for only."""
    limit = int(ctx.options["lines"])
    reported: set[Directive] = set()
    blocks = [
        node
        for node in ctx.model.config.top.walk()
        if node.is_block and node.inner is not None and node.name not in DATA_BLOCKS
    ]
    for node in reversed(blocks):
        statement = node.statement
        if statement.close is None or node in reported or statement.close - statement.start < limit:
            continue  # so few characters are no more lines
        first, last = node.source.position(statement.start)[0], node.source.position(statement.close)[0]
        if last - first + 1 > limit and node.name != "http":
            reported.update(node.ancestors())
            yield Hit(
                Place(node.source, statement.start, statement.name_end, node.via),
                f"the block has {last - first + 1} lines",
                node,
                help="Move parts of it into separate files and include them.",
            )


def final_newline(ctx: CheckContext) -> Iterable[Hit]:
    """Files whose last line does not end, or that end with empty lines; asked for only."""
    for source in ctx.model.config.texts:
        text = source.text
        kept = text.rstrip(" \t\r\n")
        if not kept:
            continue
        if not text.endswith("\n"):
            yield Hit(
                Place(source, len(text) - 1, len(text)),
                "no newline at the end of the file",
                help="Add a newline.",
                make_fix=partial(_ended, source),
            )
        elif text[len(kept) :].count("\n") > 1:
            yield Hit(
                Place(source, text.index("\n", len(kept)) + 1, len(text)),
                "empty lines at the end of the file",
                help="Remove them.",
                make_fix=partial(_ended, source),
            )


def _ended(source: SourceText) -> Edits:
    """The last line ends, once."""
    text, end = source.text, len(source.text)
    first = text.find("\n", len(text.rstrip(" \t\r\n")))
    if first >= 0:
        return (edits.replaced(source, first + 1, end, ""),)
    return (edits.replaced(source, end, end, edits.line_end(source)),)
