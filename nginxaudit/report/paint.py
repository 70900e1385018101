"""Lines of styled text to a stream: plain, or with colours by rich."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TextIO

from msgspec import Struct

from nginxaudit.report.base import RenderOptions
from nginxaudit.report.sanitize import encoding_of, visible

if TYPE_CHECKING:
    from rich.console import Console


class Link(str):
    """A piece of a line that leads to an address on terminals; "" is none."""

    __slots__ = ("url",)
    url: str

    def __new__(cls, text: str, url: str) -> Link:
        """``text`` that leads to ``url``."""
        self = super().__new__(cls, text)
        self.url = url
        return self


Line = list[tuple[str, str]]
"""Pieces of one line, each with the name of its style; "" is none."""

_STYLES = {
    "error": "bold red",
    "warning": "bold yellow",
    "info": "bold cyan",
    "strong": "bold",
    "file": "bold underline",
    "frame": "blue",
    "related": "blue",
    "label": "bold",
    "dim": "dim",
    "mark": "cyan",
    "good": "bold green",
}
_DEFAULT_WIDTH = 100
_LEAST_WIDTH = 40
_CHUNK = 2000  # lines handed to rich at a time: few flushes, little memory


def wants_color(stream: TextIO, color: bool | None) -> bool:
    """Whether to colour: the option, else NO_COLOR, else FORCE_COLOR, else whether it is a terminal."""
    if color is not None:
        return color
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0", "false"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def wants_links(stream: TextIO) -> bool:
    """Whether coloured text has links: FORCE_HYPERLINK, else whether it is a terminal."""
    forced = os.environ.get("FORCE_HYPERLINK", "")
    return forced != "0" if forced else stream.isatty()


def width_for(stream: TextIO, options: RenderOptions) -> int:
    """Columns to fill: the option, COLUMNS, the terminal's, or 100 where there is none."""
    width = options.width
    if width is None:
        width = _columns() or (_terminal_width(stream) if stream.isatty() else _DEFAULT_WIDTH)
    return max(width, _LEAST_WIDTH)


def _columns() -> int:
    """What COLUMNS says; 0 where it says nothing."""
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


class Screen(Struct, frozen=True):
    """What a text is laid out for. A pipe is not ``bounded``: what is one line by nature stays one, however long."""

    width: int
    encoding: str
    bounded: bool

    @property
    def ellipsis(self) -> str:
        """What stands for something left out."""
        return "…" if visible("…", self.encoding) == "…" else "..."

    def safe(self, text: str) -> str:
        """``text`` with nothing in it that acts on a terminal."""
        return visible(text, self.encoding)


def screen_for(stream: TextIO, options: RenderOptions) -> Screen:
    """The screen that a report on ``stream`` is for."""
    bounded = options.width is not None or _columns() > 0 or stream.isatty()
    return Screen(width_for(stream, options), encoding_of(stream), bounded)


def _terminal_width(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_WIDTH
    except (OSError, ValueError):
        return _DEFAULT_WIDTH


def console_for(stream: TextIO, color: bool | None, width: int) -> Console:
    """A rich console on ``stream``: as wide as its terminal, COLUMNS says, else ``width``; nothing in it is markup."""
    from rich.console import Console

    colored = wants_color(stream, color)
    return Console(
        file=stream,
        width=None if stream.isatty() else _columns() or width,
        force_terminal=colored,
        no_color=not colored,
        highlight=False,
        markup=False,
        emoji=False,
    )


def paint(lines: Iterable[Line], stream: TextIO, *, color: bool, width: int) -> None:
    """Write ``lines``, which must hold nothing that acts on a terminal."""
    if color:
        _paint_rich(lines, stream, width)
    else:
        # At once: an unbuffered stream, as images and CI jobs like to have it, costs a system call per write.
        stream.write("".join(["".join(text for text, _ in line).rstrip(" ") + "\n" for line in lines]))


def _paint_rich(lines: Iterable[Line], stream: TextIO, width: int) -> None:
    from rich.console import Console
    from rich.segment import Segment, Segments
    from rich.style import Style

    console = Console(
        file=stream,
        width=width,
        force_terminal=True,
        force_jupyter=False,
        color_system="standard",  # the sixteen colours that the user has chosen
        no_color=False,
        markup=False,
        highlight=False,
        emoji=False,
    )
    styles = {name: Style.parse(style) for name, style in _STYLES.items()}
    end = Segment("\n")
    links = wants_links(stream)

    def segments(chunk: Iterable[Line]) -> Iterator[Segment]:
        for line in chunk:
            for text, style in line:
                url = text.url if links and isinstance(text, Link) else ""
                if url:
                    yield Segment(f"\x1b]8;;{url}\x1b\\")
                yield Segment(text, styles.get(style))
                if url:
                    yield Segment("\x1b]8;;\x1b\\")
            yield end

    remaining = iter(lines)
    while chunk := list(islice(remaining, _CHUNK)):
        console.print(Segments(segments(chunk)), crop=False, end="")
