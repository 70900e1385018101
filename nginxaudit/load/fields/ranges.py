"""Address ranges of ``geo`` with ``ranges``: those that are listed twice, and those that nginx refuses because they overlap.

``ngx_http_geo_add_range`` and ``ngx_http_geo_delete_range`` (src/http/modules/ngx_http_geo_module.c; stream has the
same): the ranges are kept in 65536 parts of 65536 addresses, and are compared within each part only. A range inside
an earlier one takes its place there; one that contains or crosses an earlier one is refused.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from ipaddress import IPv4Address

from nginxaudit.load.base import INVALID, Mistake, Use, reads
from nginxaudit.load.fields.warnings import warning
from nginxaudit.nginx import parse_inet4
from nginxaudit.syntax.tree import Directive, Token

_PART = 0x10000
_KEEP = "Keep one of the two lines: the last one counts."


@reads("geo", family="http stream")
def ranges(use: Use) -> Iterator[Mistake]:
    """Lines of one ``geo`` block in their order."""
    if not use.node.is_block or not any(line.name == "ranges" for line in use.node.children):
        return
    parts: dict[int, _Part] = {}
    default: Directive | None = None
    for line in use.node.children:
        if line.name == "include":
            return  # a file of ranges that was not read
        if len(line.args) != 1 or line.name in ("ranges", "proxy", "proxy_recursive"):
            continue
        if line.name == "default":
            if default is not None:
                message = (
                    f'duplicate default geo range value: "{line.args[0]}", old value: "{default.args[0]}"'
                )
                yield warning(line.word, message, _KEEP, line, default)
            default = line
        elif line.name == "delete":
            yield from _delete(parts, line)
        else:
            yield from _add(parts, line)


class _Part:
    """Ranges within 65536 addresses: sorted and disjoint."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.lines: list[Directive] = []

    def find(self, end: int) -> int:
        """Position of the last range that begins at or before ``end``; -1 if there is none."""
        return bisect_right(self.starts, end) - 1

    def put(self, at: int, removed: int, *added: tuple[int, int, Directive]) -> None:
        """Exchange ``removed`` ranges at a position for others."""
        self.starts[at : at + removed] = [start for start, _, _ in added]
        self.ends[at : at + removed] = [end for _, end, _ in added]
        self.lines[at : at + removed] = [line for _, _, line in added]


def _slices(token: Token) -> Iterator[tuple[int, int, int]]:
    """Number of the part, first and last address in it; nothing for what is no range."""
    first, _, last = token.partition("-")
    try:
        start, end = (int(IPv4Address(parse_inet4(text))) for text in (first, last))
    except ValueError:
        return
    for number in range(start // _PART, end // _PART + 1):
        base = number * _PART
        yield number, max(start - base, 0), min(end - base, _PART - 1)


def _add(parts: dict[int, _Part], line: Directive) -> Iterator[Mistake]:
    replaced: Directive | None = None
    for number, start, end in _slices(line.word):
        part = parts.setdefault(number, _Part())
        at = part.find(end)
        if at < 0 or part.ends[at] < start:
            part.put(at + 1, 0, (start, end, line))
            continue
        old_start, old_end, old = part.starts[at], part.ends[at], part.lines[at]
        if start < old_start or end > old_end:
            written = f"{_address(number, old_start)}-{_address(number, old_end)}"
            message = f'range "{line.name}" overlaps "{written}"'
            remedy = "Write ranges that do not overlap, or the larger range before those inside it."
            yield Mistake(INVALID, message, line.word, remedy, line, (("overlaps this range", old),))
            return
        if (start, end) == (old_start, old_end):
            replaced = replaced or old
        before = [(old_start, start - 1, old)] if start > old_start else []
        after = [(end + 1, old_end, old)] if end < old_end else []
        part.put(at, 1, *before, (start, end, line), *after)
    if replaced is not None:
        values = f'value: "{line.args[0]}", old value: "{replaced.args[0]}"'
        yield warning(line.word, f'duplicate range "{line.name}", {values}', _KEEP, line, replaced)


def _delete(parts: dict[int, _Part], line: Directive) -> Iterator[Mistake]:
    missing = False
    for number, start, end in _slices(line.args[0]):
        part = parts.setdefault(number, _Part())
        at = part.find(start)
        if at >= 0 and (part.starts[at], part.ends[at]) == (start, end):
            part.put(at, 1)
        else:
            missing = True
    if missing:
        message = f'no address range "{line.args[0]}" to delete'
        yield warning(line.args[0], message, "Write the range as it was added, or delete this line.", line)


def _address(part: int, rest: int) -> str:
    return str(IPv4Address(part * _PART + rest))
