"""A decoded configuration text and its line arithmetic."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import MutableSequence, Sequence
from typing import TYPE_CHECKING

from nginxaudit.finding import Span
from nginxaudit.templates import Template, read_template

if TYPE_CHECKING:
    from nginxaudit.nginx.secrets import Secret

_LARGE = 1 << 18  # in code points: from here on an array saves more memory than it takes time to be imported


class SourceText:
    """Text of one file.

    ``path`` is the path as reached from the argument given: it is what reports print.
    ``real`` is the resolved path for a file on disk, or a unique name for dumps and stdin.
    ``text`` is decoded as UTF-8; undecodable bytes are kept as surrogate escapes, so that
    encoding it again yields the original bytes. Line ends are as in the file.
    """

    __slots__ = ("_line_starts", "_secrets", "_template", "path", "real", "text")

    def __init__(self, path: str, text: str, real: str | None = None) -> None:
        self.path = path
        self.real = real if real is not None else path
        self.text = text
        self._line_starts: Sequence[int] | None = None
        self._secrets: Sequence[Secret] | None = None
        self._template: Template | bool | None = False  # until it is asked for

    @property
    def line_starts(self) -> Sequence[int]:
        """Offset at which each line begins; lines end at LF, as nginx counts them."""
        starts = self._line_starts
        if starts is None:
            starts = self._line_starts = _line_starts(self.text)
        return starts

    @property
    def template(self) -> Template | None:
        """The text as a template; None where nothing in it is to be filled in before nginx reads it."""
        found = self._template
        if isinstance(found, bool):
            found = self._template = read_template(self.text, self.path)
        return found

    @property
    def host(self) -> SourceText:
        """The file that people know: this one, or the one that this text is embedded in."""
        return self

    def in_host(self, start: int, end: int) -> Span:
        """Where the offsets ``start`` to ``end`` are in the host."""
        return self.span(start, end)

    def position(self, offset: int) -> tuple[int, int]:
        """1-based line and column of ``offset``."""
        starts = self.line_starts
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Text of the 1-based line ``number`` without its line end; empty past the last line."""
        starts = self.line_starts
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")

    def span(self, start: int, end: int) -> Span:
        """`Span` from ``start`` to ``end`` (exclusive), offsets clamped to the text."""
        start = max(0, min(start, len(self.text)))
        end = max(start, min(end, len(self.text)))
        line, column = self.position(start)
        end_line, end_column = self.position(end)
        return Span(self.path, line, column, end_line, end_column, start, end)

    def secrets(self, start: int, end: int) -> Sequence[Secret]:
        """The secrets that overlap the offsets ``start`` to ``end``, in order and apart.

        The whole text is read once: a value alone does not say what it is.
        """
        known = self._secrets
        if known is None:
            from nginxaudit.nginx.secrets import read_secrets

            known = self._secrets = read_secrets(self.text)
        first = bisect_right(known, start, key=lambda secret: secret.end)
        last = bisect_left(known, end, key=lambda secret: secret.start)
        return known[first:last]

    def masked(self, start: int, end: int) -> str:
        """The text from ``start`` to ``end``, every character of its secrets replaced by ``*``."""
        found = self.secrets(start, end)
        if not found:
            return self.text[start:end]
        from nginxaudit.nginx.secrets import mask_spans

        inside = [(max(first, start) - start, min(last, end) - start) for first, last, _ in found]
        return mask_spans(self.text[start:end], inside)

    def __repr__(self) -> str:
        return f"SourceText({self.path!r})"


def _line_starts(text: str) -> Sequence[int]:
    starts: MutableSequence[int] = [0]
    if len(text) > _LARGE:
        from array import array

        starts = array("L", starts)
    find, append = text.find, starts.append
    end = find("\n")
    while end >= 0:
        append(end + 1)
        end = find("\n", end + 1)
    return starts
