"""How much room a text takes on a terminal, and breaking it there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from nginxaudit.report.sanitize import visible

TAB = 4


def width_of(text: str) -> int:
    """Cells that ``text`` takes: East Asian wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # its tables are not worth loading for ASCII

    return cell_len(text)


def wrap(words: Iterable[str], room: int, used: int = 0) -> list[str]:
    """Lines of at most ``room`` cells, the first ``used`` cells shorter. A word is never broken."""
    lines: list[str] = []
    line: list[str] = []
    cells = used
    for word in words:
        need = width_of(word)
        if line and cells + 1 + need > room:
            lines.append(" ".join(line))
            line, cells = [], 0
        cells += need + (1 if line else 0)
        line.append(word)
    lines.append(" ".join(line))
    return lines


class Strip:
    """One line of a file as it stands on the screen: an atom per character, and where each begins."""

    __slots__ = ("_atoms", "_begins")

    def __init__(self, text: str, encoding: str) -> None:
        self._atoms: Sequence[str] = text
        self._begins: Sequence[int] = range(len(text) + 1)
        if not (text.isascii() and text.isprintable()):
            self._lay_out(text, encoding)

    def _lay_out(self, text: str, encoding: str) -> None:
        atoms, begins, cells = [], [0], 0
        for character in text:
            if " " <= character <= "~":
                atom, cells = character, cells + 1
            else:
                atom = " " * (TAB - cells % TAB) if character == "\t" else visible(character, encoding)
                cells += width_of(atom)
            atoms.append(atom)
            begins.append(cells)
        self._atoms, self._begins = atoms, begins

    @property
    def cells(self) -> int:
        """Cells that the whole line takes."""
        return self._begins[-1]

    def cell(self, index: int) -> int:
        """Cell at which the character ``index`` begins."""
        return self._begins[max(0, min(index, len(self._begins) - 1))]

    def cut(self, start: int, room: int) -> tuple[str, int, int]:
        """The part from the cell ``start``, at most ``room`` cells: its text, first and end cell."""
        first = bisect_left(self._begins, start)
        end = bisect_right(self._begins, self._begins[first] + room) - 1
        return "".join(self._atoms[first:end]), self._begins[first], self._begins[end]
