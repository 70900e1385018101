"""The order in which locations are written."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.style.lines import line_start
from nginxaudit.hit import CheckContext, Edits, Hit, Place
from nginxaudit.model.location import Location
from nginxaudit.model.server import Server
from nginxaudit.syntax.tree import Directive


def location_order(ctx: CheckContext) -> Iterable[Hit]:
    """Locations in another order than nginx looks at them; asked for only."""
    for server in ctx.model.servers("http"):
        previous = None
        for location in server.locations:
            if location.is_named:
                continue  # it is not searched by path
            rank = _rank(location)
            if previous is not None and rank < previous[0] and rank != 2:
                node = location.directive
                yield Hit(
                    Place(node.source, node.start, node.name_end, node.via),
                    f"{location.label} comes after {previous[1].label}, although nginx checks it first",
                    node,
                    help="Put exact locations first, then prefixes, then regular expressions in their order.",
                    make_fix=partial(_ordered, server),
                )
                break
            previous = (rank, location)


def _ordered(server: Server) -> Edits:
    """The locations of a server in the order of their kinds; those of one kind stay as they are."""
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
    text, start = source.text, line_start(source, block.start)
    if close is None or text[start : block.start].strip(" \t"):
        return None
    end = text.find("\n", close)
    end = len(text) if end < 0 else end
    behind = text[close + 1 : end].strip()
    if behind and not behind.startswith("#"):
        return None
    while start > 0:
        above = line_start(source, start - 1)
        if not text[above:start].lstrip(" \t").startswith("#"):
            break
        start = above
    return start, end
