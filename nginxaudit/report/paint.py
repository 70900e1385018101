"""Lines of styled text to a stream: plain, or with colours by rich."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TextIO

from nginxaudit.report.base import RenderOptions

if TYPE_CHECKING:
    from rich.console import Console

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


def width_for(stream: TextIO, options: RenderOptions) -> int:
    """Columns to fill: the option, the terminal's, or 100 where there is none."""
    width = options.width
    if width is None:
        width = _terminal_width(stream) if stream.isatty() else _DEFAULT_WIDTH
    return max(width, _LEAST_WIDTH)


def _terminal_width(stream: TextIO) -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_WIDTH
    except (OSError, ValueError):
        return _DEFAULT_WIDTH


def console_for(stream: TextIO, color: bool | None, width: int) -> Console:
    """A rich console on ``stream``: as wide as its terminal, else ``width``; nothing in it is markup."""
    from rich.console import Console

    colored = wants_color(stream, color)
    return Console(
        file=stream,
        width=None if stream.isatty() else width,
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

    def segments(chunk: Iterable[Line]) -> Iterator[Segment]:
        for line in chunk:
            for text, style in line:
                yield Segment(text, styles.get(style))
            yield end

    remaining = iter(lines)
    while chunk := list(islice(remaining, _CHUNK)):
        console.print(Segments(segments(chunk)), crop=False, end="")
