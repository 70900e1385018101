"""Texts that are written inside another file, and where a place in them is in that file.

A configuration in a Kubernetes manifest is analysed as a text of its own; what is found is shown in the manifest.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.finding import Finding, Related, Span
from nginxaudit.source.text import SourceText


class Scalar(Struct, frozen=True):
    """A text as a file holds it: its value, the offsets of how it is written, and YAML's style (``| > " '``)."""

    value: str
    start: int
    end: int
    style: str = ""


class Stretch(NamedTuple):
    """A part of a text that stands one to one in its host, or is one character written as several."""

    at: int  # in the text
    start: int  # in the host
    end: int


class EmbeddedText(SourceText):
    """A text inside ``host``. ``stretches`` say where; None where it is written in another way (base64, folded)."""

    __slots__ = ("_at", "_host", "_scalar", "_stretches")

    def __init__(
        self,
        path: str,
        text: str,
        real: str,
        host: SourceText,
        scalar: Scalar,
        stretches: list[Stretch] | None,
    ) -> None:
        super().__init__(path, text, real)
        self._host = host
        self._scalar = scalar
        self._stretches = stretches
        self._at = [stretch.at for stretch in stretches or ()]

    @property
    def host(self) -> SourceText:
        """The file that holds this text."""
        return self._host

    def show_in(self, host: SourceText) -> None:
        """Put ``host``, which has the same places, in place of the one so far."""
        self._host = host

    @property
    def exact(self) -> bool:
        """Whether every place has its place in the host."""
        return bool(self._stretches)

    def in_host(self, start: int, end: int) -> Span:
        """Where the offsets ``start`` to ``end`` are in the host."""
        if not self._stretches:
            first = self.host.text.find("\n", self._scalar.start)
            line_end = len(self.host.text) if first < 0 else first
            return self.host.span(self._scalar.start, min(self._scalar.end, line_end))
        first = self._offset(start)
        return self.host.span(first, max(first, self._end(end - 1) if end > start else first))

    def _stretch(self, offset: int) -> Stretch:
        assert self._stretches
        return self._stretches[max(bisect_right(self._at, offset) - 1, 0)]

    def _offset(self, offset: int) -> int:
        stretch = self._stretch(offset)
        return min(stretch.start + offset - stretch.at, stretch.end)

    def _end(self, last: int) -> int:
        """Host offset behind the character at ``last``."""
        number = max(bisect_right(self._at, last) - 1, 0)
        stretch = self._stretch(last)
        if number + 1 < len(self._at) and self._at[number + 1] == last + 1:
            return stretch.end
        return min(stretch.start + last - stretch.at + 1, stretch.end)


def finding_in_host(finding: Finding, sources: Mapping[str, SourceText]) -> Finding:
    """``finding`` with its places in the files that people see. A fix of an embedded text is dropped."""
    source = sources.get(finding.span.file)
    message = finding.message
    span = finding.span
    if isinstance(source, EmbeddedText):
        message, span = _moved(message, span, source)
    related = tuple(_related(each, sources) for each in finding.related)
    fix = finding.fix
    if fix is not None and any(isinstance(sources.get(edit.file), EmbeddedText) for edit in fix.edits):
        fix = None
    parts = tuple(finding_in_host(part, sources) for part in finding.parts)
    return replace(finding, message=message, span=span, related=related, fix=fix, parts=parts)


def _related(related: Related, sources: Mapping[str, SourceText]) -> Related:
    source = sources.get(related.span.file)
    return (
        Related(*_moved(related.message, related.span, source), related.includes)
        if isinstance(source, EmbeddedText)
        else related
    )


def _moved(message: str, span: Span, source: EmbeddedText) -> tuple[str, Span]:
    if not source.exact:
        message = f"{message} (line {span.line} of {source.path.rsplit('/', 1)[-1]})"
    return message, source.in_host(span.start, span.end)


# -- how a scalar is written


def stretches_of(host: str, scalar: Scalar) -> list[Stretch] | None:
    """Where the characters of ``scalar.value`` are in ``host``; None if that cannot be said exactly."""
    raw = host[scalar.start : scalar.end]
    if scalar.style == "|":
        return _literal(raw, scalar.value, scalar.start)
    if scalar.style in ('"', "'"):
        return _quoted(raw, scalar.value, scalar.start)
    return [Stretch(0, scalar.start, scalar.end)] if raw == scalar.value else None


def _literal(raw: str, value: str, base: int) -> list[Stretch] | None:
    """Line by line: the first one holds ``|``, the others begin with the indentation."""
    rows = raw.split("\n")
    lines = value.split("\n")
    if not lines[-1]:
        lines.pop()
    first = next((number for number, line in enumerate(lines) if line), None)
    if first is None or first + 1 >= len(rows):
        return None
    indent = len(rows[first + 1].removesuffix("\r")) - len(lines[first])
    found = []
    at, start = 0, len(rows[0]) + 1
    for number, line in enumerate(lines):
        if number + 1 >= len(rows):
            return None
        row = rows[number + 1].removesuffix("\r")
        if row != " " * indent + line and (line or row.strip(" ")):
            return None
        end = start + len(rows[number + 1]) + 1
        found.append(Stretch(at, base + start + min(max(indent, 0), len(row)), base + end))
        at, start = at + len(line) + 1, end
    return found


_ESCAPE = r"""\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}
      | \\x[0-9a-fA-F]{2} | \\u[0-9a-fA-F]{4} | \\U[0-9a-fA-F]{8}
      | \\\r?\n[ \t]*  # the line goes on
      | \\."""
_FOLD = r"[ \t]*(?:\r?\n[ \t]*)+"
_SIMPLE = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r",
    "e": "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip


@cache
def _special(quote: str) -> re.Pattern[str]:
    """What does not stand for itself between quotes."""
    return re.compile(rf"{_ESCAPE}|{_FOLD}" if quote == '"' else rf"''|{_FOLD}", re.VERBOSE | re.DOTALL)


def _quoted(raw: str, value: str, base: int) -> list[Stretch] | None:
    """Through escapes and folded lines; None if that does not come to ``value``."""
    found: list[Stretch] = []
    words: list[str] = []
    at, start = 0, 1
    for match in _special(raw[0]).finditer(raw, 1, len(raw) - 1):
        first, last = match.span()
        if first > start:
            found.append(Stretch(at, base + start, base + first))
            words.append(raw[start:first])
            at += first - start
        word = _decoded(match[0])
        if word:
            found.append(Stretch(at, base + first, base + last))
            words.append(word)
            at += len(word)
        start = last
    found.append(Stretch(at, base + start, base + len(raw) - 1))
    words.append(raw[start:-1])
    return found if "".join(words) == value else None


def _decoded(text: str) -> str:
    """What an escape, or a line that goes on, means."""
    if text == "''":
        return "'"
    if not text.startswith("\\"):
        return "\n" * (text.count("\n") - 1) or " "
    if text[1] in _SIMPLE:
        return _SIMPLE[text[1]]
    if len(text) > 2 and text[1] in "xuU":
        return _character([int(each, 16) for each in re.findall(r"\\[xuU]([0-9a-fA-F]+)", text)])
    return "" if "\n" in text else text


def _character(codes: list[int]) -> str:
    code = codes[0] if len(codes) == 1 else 0x10000 + ((codes[0] - 0xD800) << 10) + codes[1] - 0xDC00
    return chr(code) if code < 0x110000 else "\ufffd"


# -- what must not be shown


def veiled(host: SourceText, stretches: Iterable[tuple[int, int]]) -> SourceText:
    """``host`` with the characters of ``stretches`` replaced by ``*``: every place stays where it is."""
    parts = []
    at = 0
    for first, last in _merged(stretches):
        parts += [host.text[at:first], re.sub(r"[^\r\n]", "*", host.text[first:last])]
        at = last
    return SourceText(host.path, "".join([*parts, host.text[at:]]), host.real)


def _merged(stretches: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    end = 0
    for first, last in sorted(stretches):
        if last > end:
            yield max(first, end), last
            end = last
