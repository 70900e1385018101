"""Excerpts of a file around a span: lines fitted to the screen, and where to mark them."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.finding import Span
from nginxaudit.report.cells import Strip, width_of
from nginxaudit.source.text import SourceText


class Row(Struct, frozen=True):
    """A line of an excerpt. ``mark`` is the first and the end cell to underline in ``text``.

    ``number`` is 0 for the row that stands for lines left out. A row with a ``label`` marks a related place.
    """

    number: int
    text: str
    mark: tuple[int, int] | None = None
    label: str = ""


class Frame(Struct, frozen=True):
    """The screen an excerpt is fitted to."""

    room: int
    encoding: str
    ellipsis: str


def excerpt(source: SourceText | None, span: Span, frame: Frame, *, context: bool = False) -> list[Row]:
    """Rows for ``span``: with ``context`` the line above, then its first and its last line."""
    if source is None or not source.text or span.line > len(source.line_starts):
        return []
    last = min(span.end_line, len(source.line_starts))
    end_column = span.end_column
    if last > span.line and end_column == 1:  # it ends with the line end of the line before
        last, end_column = last - 1, _length(source, last - 1) + 1
    if last == span.line:
        main = _row(source, span.line, span.column, end_column, frame)
        rows = [main]
    else:
        main = _row(source, span.line, span.column, None, frame)
        rows = [main, *_middle(source, span.line, last, frame), _last_row(source, last, end_column, frame)]
    above = span.line - 1
    if context and above >= 1 and not main.text.startswith(frame.ellipsis):
        rows.insert(0, _row(source, above, 0, 0, frame))
    return rows


def near(rows: list[Row], source: SourceText, span: Span, label: str, frame: Frame) -> list[Row] | None:
    """``rows`` with a place of the same file that stands in them or next to them; None where it does not, or has no room."""
    if span.line != span.end_line or not rows[0].number or not rows[-1].number:
        return None
    if not (rows[0].number - 1 <= span.line <= rows[-1].number + 1):
        return None
    row = _row(source, span.line, span.column, span.end_column, frame)
    if row.mark is None or row.mark[1] + 1 + width_of(label) > frame.room:
        return None
    at = next((index for index, each in enumerate(rows) if each.number > span.line), len(rows))
    if any(each.number == span.line and each.text != row.text for each in rows):
        return None  # a long line, cut elsewhere
    return [*rows[:at], replace(row, label=label), *rows[at:]]


def glance(source: SourceText | None, span: Span, frame: Frame) -> str:
    """The first line of ``span``, from where it begins, as far as there is room."""
    if source is None or not source.text or span.line > len(source.line_starts):
        return ""
    end = min(_bounds(source, span.line)[1], span.end)
    text = source.masked(span.start, min(end, span.start + 4 * frame.room))
    strip = Strip(text.rstrip(), frame.encoding)
    if strip.cells <= frame.room:
        return strip.cut(0, strip.cells)[0]
    return strip.cut(0, max(frame.room - len(frame.ellipsis), 1))[0] + frame.ellipsis


def _middle(source: SourceText, first: int, last: int, frame: Frame) -> Iterator[Row]:
    if last == first + 2:
        yield _row(source, first + 1, 0, 0, frame)
    elif last > first + 2:
        yield Row(0, "...")


def _last_row(source: SourceText, number: int, end_column: int, frame: Frame) -> Row:
    start, end = _bounds(source, number)
    head = source.text[start : min(end, start + 1000)]
    indent = len(head) - len(head.lstrip())
    return _row(source, number, min(indent + 1, max(end_column - 1, 1)), end_column, frame)


def _bounds(source: SourceText, number: int) -> tuple[int, int]:
    """Offsets of a line without its line end. No copy: a line may be megabytes long."""
    starts, text = source.line_starts, source.text
    start = starts[number - 1]
    end = starts[number] - 1 if number < len(starts) else len(text)
    if end > start and text[end - 1] == "\r":
        end -= 1
    return start, end


def _length(source: SourceText, number: int) -> int:
    start, end = _bounds(source, number)
    return end - start


def _row(source: SourceText, number: int, column: int, end_column: int | None, frame: Frame) -> Row:
    """One line, marked between the columns (None: to its last word); column 0 marks nothing."""
    start, end = _bounds(source, number)
    at = min(start + max(column, 1) - 1, end)
    low, high = start, end
    if end - start > 8 * frame.room:  # look at the surroundings of the mark only
        low, high = max(start, at - 2 * frame.room), min(end, at + 4 * frame.room)
    text = source.masked(low, high)
    stop = high if end_column is None else min(start + end_column - 1, high)
    if end_column is None:
        stop -= len(text) - len(text.rstrip())
    strip = Strip(text, frame.encoding)
    mark = (strip.cell(at - low), strip.cell(max(stop, at) - low)) if column else (0, 0)
    shown, offset = _fit(strip, mark, low > start, high < end, frame)
    if not column:
        return Row(number, shown)
    first = mark[0] + offset
    return Row(number, shown, (first, max(first + 1, min(mark[1] + offset, width_of(shown)))))


def _fit(
    strip: Strip, mark: tuple[int, int], cut_left: bool, cut_right: bool, frame: Frame
) -> tuple[str, int]:
    """``strip`` cropped to the room around ``mark``, and by how much its cells have moved."""
    dots = len(frame.ellipsis)
    if strip.cells <= frame.room and not cut_left and not cut_right:
        return strip.cut(0, strip.cells)[0], 0
    room = max(frame.room - 2 * dots, 1)
    begin = 0 if mark[1] <= room and not cut_left else max(mark[0] - room // 4, 0)
    text, first, end = strip.cut(begin, room)
    left = frame.ellipsis if first > 0 or cut_left else ""
    right = frame.ellipsis if end < strip.cells or cut_right else ""
    return f"{left}{text}{right}", len(left) - first
