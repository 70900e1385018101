"""The fingerprint that GitHub code scanning follows an alert by when lines move.

It is ``primaryLocationLineHash`` as the codeql-action computes it when a tool gives none; a value
that differs from its own makes it warn. Blanks and tabs are dropped and line ends become LF. The
hash of a line is the polynomial in 37, modulo 2**64, of the 100 UTF-16 units from its start; the
text is followed by U+FFFF and zeros. ``:n`` counts the lines of the file with this hash, from 1.
"""

from __future__ import annotations

import re

_BLOCK = 100
_FACTOR = 37
_MASK = (1 << 64) - 1
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_SQUEEZE = {9: None, 32: None, 13: "\n"}


class LineHashes:
    """Hashes of the lines of one text; the polynomial is computed for the lines asked for only."""

    def __init__(self, text: str) -> None:
        if not text.isascii():
            text = _ASTRAL.sub(_units, text)
        *whole, last = text.split("\n")
        lines = [line.removesuffix("\r").translate(_SQUEEZE) for line in whole]
        lines.append(last.translate(_SQUEEZE))
        self._text = "\n".join(lines) + "\uffff" + "\0" * (_BLOCK - 1)
        self._starts: list[int] = []
        self._ordinals: list[int] = []
        seen: dict[str, int] = {}
        at = 0
        for line in lines:
            block = self._text[at : at + _BLOCK]  # equal blocks are equal hashes
            seen[block] = seen.get(block, 0) + 1
            self._starts.append(at)
            self._ordinals.append(seen[block])
            at += len(line) + 1

    def of(self, line: int) -> str | None:
        """``<hash in hexadecimal>:<n>`` of the 1-based ``line``; None where there is no such line."""
        if not 1 <= line <= len(self._starts):
            return None
        start = self._starts[line - 1]
        value = 0
        for character in self._text[start : start + _BLOCK]:
            value = (value * _FACTOR + ord(character)) & _MASK
        return f"{value:x}:{self._ordinals[line - 1]}"


def _units(match: re.Match[str]) -> str:
    code = ord(match[0]) - 0x10000
    return chr(0xD800 + (code >> 10)) + chr(0xDC00 + (code & 0x3FF))
