"""A place in an expression that is being read: what follows there, the options in force, single characters."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.pcre.classes import fold
from nginxaudit.pcre.nodes import Chars, bytes_of

# Compiled when first needed, and kept, by re: most expressions have none of these.
_CODE = r"(?s)\\(?:x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{0,2})|o\{([0-7]+)\}|(0[0-7]{0,2}|[1-7][0-7]{2})|c(.))"
_CODED = tuple(f"\\{char}" for char in "xoc01234567")


class NotUnderstoodError(ValueError):
    """The expression uses something that this reader does not know, or is not valid."""


class Flags(Struct, frozen=True):
    """Options in force at a place of an expression."""

    caseless: bool = False
    dotall: bool = False
    multiline: bool = False
    extended: bool = False
    no_capture: bool = False


def with_options(flags: Flags, text: str) -> Flags:
    """``flags`` changed by options such as ``i-s``."""
    if text.startswith("^"):
        flags, text = Flags(), text[1:]
    on, _, off = text.partition("-")
    names = {"i": "caseless", "s": "dotall", "m": "multiline", "x": "extended", "n": "no_capture"}
    changes = {names[char]: True for char in on if char in names}
    changes |= {names[char]: False for char in off if char in names}
    return replace(flags, **changes)


class Cursor:
    """The text with one character per byte, and how far it has been read."""

    def __init__(self, text: str, flags: Flags) -> None:
        self.text = text
        self.at = 0
        self.flags = flags

    def literal(self, char: str, start: int) -> Chars:
        """``char``, which was read from ``start`` to here, as it stands for itself."""
        chars = bytes_of(char)
        return Chars(start, self.at, fold(chars) if self.flags.caseless else chars, "literal")

    def peek(self, text: str | tuple[str, ...]) -> bool:
        """Whether ``text`` is next."""
        return self.text.startswith(text, self.at)

    def match(self, pattern: str) -> re.Match[str] | None:
        """What is next, if it matches ``pattern``."""
        return re.compile(pattern).match(self.text, self.at)

    def code(self) -> str | None:
        """A character by its number, such as ``\\x2f``."""
        found = self.match(_CODE) if self.peek(_CODED) else None
        if found is None:
            return None
        self.at = found.end()
        if found[5]:
            return chr(ord(found[5].upper()) ^ 64)
        digits, base = (
            (found[1] or found[2] or "0", 16)
            if found[3] is None and found[4] is None
            else (found[3] or found[4], 8)
        )
        number = int(digits, base)
        if number > 255:
            raise NotUnderstoodError("a character above 255")
        return chr(number)
