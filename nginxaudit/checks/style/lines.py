"""White space: every file once, one finding per file and rule with its first places."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from nginxaudit.hit import CheckContext, Hit, Place
from nginxaudit.model import Model
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Directive

_TRAILING = r"(?<![\\ \t])[ \t]+(?=\r?\n|\Z)"  # a blank behind a backslash belongs to its word
_RETURN = r"\r(?=\n)"
_SHOWN = 4

Places = list[tuple[int, int]]


def _found(model: Model, pattern: str) -> Iterator[tuple[SourceText, Places]]:
    """Every file that was read, with the places of ``pattern``, those in data left out."""
    found = {
        path: [each.span() for each in re.finditer(pattern, source.text)]
        for path, source in model.config.sources.items()
    }
    data = _data(model) if any(found.values()) else {}
    for path, source in model.config.sources.items():
        yield source, list(_outside(found[path], sorted(data.get(path, []))))


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


def _report(source: SourceText, places: Places, what: str, help_: str) -> Iterator[Hit]:
    if places:
        count = f" ({len(places)} lines)" if len(places) > 1 else ""
        yield Hit(
            Place(source, *places[0]),
            what + count,
            related=tuple(("here, too", Place(source, *each)) for each in islice(places, 1, _SHOWN)),
            help=help_,
        )


def trailing_whitespace(ctx: CheckContext) -> Iterable[Hit]:
    """Blanks at the end of lines."""
    for source, found in blanks_at_line_ends(ctx.model):
        yield from _report(source, found, "blanks at the end of the line", "Remove them.")


def blanks_at_line_ends(model: Model) -> Iterator[tuple[SourceText, Places]]:
    """Every file with its blanks at line ends, those of data left out."""
    return _found(model, _TRAILING)


def space_before_semicolon(ctx: CheckContext) -> Iterable[Hit]:
    """Blanks before the semicolon that ends a directive."""
    for source, found in blanks_before_semicolons(ctx.model):
        yield from _report(source, found, "blanks before the semicolon", "Remove them.")


def blanks_before_semicolons(model: Model) -> Iterator[tuple[SourceText, Places]]:
    """Every file that has such blanks, each place with its semicolon."""
    seen: set[int] = set()
    places: dict[str, tuple[SourceText, Places]] = {}
    files = {path for path, each in model.config.sources.items() if " ;" in each.text or "\t;" in each.text}
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
    for source in ctx.model.config.sources.values():
        first = source.text.find("\r\n")
        if first < 0:
            continue
        both = source.text.count("\r\n"), source.text.count("\n")
        what = "lines end with CRLF" if both[0] == both[1] else f"{both[0]} of {both[1]} lines end with CRLF"
        yield Hit(Place(source, first, first + 2), what, help="Let them end with LF.")


def carriage_returns(model: Model) -> Iterator[tuple[SourceText, Places]]:
    """Every file with the CRs before its line ends, those of data left out."""
    return _found(model, _RETURN)


def indentation(ctx: CheckContext) -> Iterable[Hit]:
    """Lines that are not indented as deep as the other ones of their depth; the width is that of the file."""
    for source, unit, wrong in misplaced_lines(ctx.model):
        name = "a tab" if "\t" in unit else f"{len(unit)} blanks"
        yield from _report(
            source,
            [(start, end) for start, end, _ in wrong],
            f"not indented like the rest of the file, by {name}",
            "Indent each block once more than the one around it.",
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


def block_too_long(ctx: CheckContext) -> Iterable[Hit]:
    """Blocks that no screen shows; asked for only."""
    limit = int(ctx.options["lines"])
    told: set[Directive] = set()
    blocks = [
        node
        for node in ctx.model.config.top.walk()
        if node.is_block and node.inner is not None and node.name not in _DATA
    ]
    for node in reversed(blocks):
        statement = node.statement
        if statement.close is None or node in told or statement.close - statement.start < limit:
            continue  # so few characters are no more lines
        first, last = node.source.position(statement.start)[0], node.source.position(statement.close)[0]
        if last - first + 1 > limit and node.name != "http":
            told.update(node.ancestors())
            yield Hit(
                Place(node.source, statement.start, statement.name_end, node.via),
                f"this block has {last - first + 1} lines",
                node,
                help="Put parts of it into files of their own, and include them.",
            )


_DATA = frozenset({"map", "geo", "types", "split_clients", "charset_map", "match"})


def location_order(ctx: CheckContext) -> Iterable[Hit]:
    """Locations in another order than nginx looks at them; asked for only."""
    for server in ctx.model.servers("http"):
        previous = None
        for location in server.locations:
            rank = 0 if location.is_exact else 3 if location.is_named else 2 if location.is_regex else 1
            if previous is not None and rank < previous[0] and rank != 2:
                node = location.directive
                yield Hit(
                    Place(node.source, node.start, node.name_end, node.via),
                    f"{location.label} stands behind {previous[1].label}, which nginx looks at later",
                    node,
                    help="Exact locations first, then prefixes, expressions in their order, named ones last.",
                )
                break
            previous = (rank, location)


def final_newline(ctx: CheckContext) -> Iterable[Hit]:
    """Files whose last line does not end, or that end with empty lines; asked for only."""
    for source in ctx.model.config.sources.values():
        text = source.text
        kept = text.rstrip(" \t\r\n")
        if not kept:
            continue
        if not text.endswith("\n"):
            yield Hit(
                Place(source, len(text) - 1, len(text)),
                "the last line has no line end",
                help="End it.",
            )
        elif text[len(kept) :].count("\n") > 1:
            yield Hit(
                Place(source, text.index("\n", len(kept)) + 1, len(text)),
                "empty lines at the end of the file",
                help="Remove them.",
            )
