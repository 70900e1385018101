"""Reading the syntax of PCRE2: text to parts.

Whether an expression is valid is PCRE's own business (``nginx -t`` compiles it); this reader wants
to understand valid ones. Facts: pcre2pattern(3).
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from nginxaudit.pcre.classes import ESCAPES, LINE_BREAK, POSIX, SHORTHAND, fold
from nginxaudit.pcre.nodes import (
    ALL,
    NEWLINE,
    Anchor,
    BackReference,
    Chars,
    Choice,
    Group,
    Look,
    Node,
    Opaque,
    Repeat,
    Sequence,
    between,
    bytes_of,
)

MAX_DEPTH = 200
# Compiled when first needed, and kept, by re: most expressions have few of these.
_LEADING_VERB = r"\(\*[A-Z0-9_=]+\)"
_QUANTIFIER = r"(?:([*+?])|\{(\d+)(?:(,)(\d*))?\}|\{,(\d+)\})([+?]?)"
_OPTIONS = r"\(\?(\^?[imnsxUJ]*(?:-[imnsx]*)?)([:)])"
_NAMED = r"\(\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')"
_LOOKS = {
    "(?=": (True, False), "(?!": (True, True), "(?<=": (False, False), "(?<!": (False, True),
    "(*pla:": (True, False), "(*nla:": (True, True), "(*plb:": (False, False), "(*nlb:": (False, True),
    "(*positive_lookahead:": (True, False), "(*negative_lookahead:": (True, True),
    "(*positive_lookbehind:": (False, False), "(*negative_lookbehind:": (False, True),
}  # fmt: skip
_ATOMIC = ("(?>", "(*atomic:")
_REFERENCE = (
    r"\\k(?:<(\w+)>|'(\w+)'|\{(\w+)\})|\(\?P=(\w+)\)|\\g\{?(-?\d+)\}?|\\g\{([A-Za-z_]\w*)\}|\\([1-9]\d?)"
)
_CALL = r"\(\?(?:R|[+-]?\d+|&\w+|P>\w+)\)|\\g(?:<[^>]*>|'[^']*')"
_SKIPPED = r"\(\?#[^)]*\)|\(\?C\d*\)"
_CODE = r"(?s)\\(?:x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{0,2})|o\{([0-7]+)\}|(0[0-7]{0,2}|[1-7][0-7]{2})|c(.))"
_NAMING = ("(?<", "(?'")
_REFERRING = tuple(f"\\{char}" for char in "gk123456789")
_CODED = tuple(f"\\{char}" for char in "xoc01234567")


class NotUnderstoodError(ValueError):
    """The expression uses something that this reader does not know, or is not valid."""


class _Flags(Struct, frozen=True):
    caseless: bool = False
    dotall: bool = False
    multiline: bool = False
    extended: bool = False
    no_capture: bool = False


class Reader:
    """One reading. ``text`` has one character per byte; groups are counted as PCRE counts them."""

    def __init__(self, text: str, *, caseless: bool) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._flags = _Flags(caseless=caseless)
        self.groups = 0
        self.names: dict[str, int] = {}

    def read(self) -> Node:
        """The whole expression. Raises `NotUnderstoodError`."""
        start = self._at
        verbs: list[Node] = []
        while self._peek("(*") and (found := self._match(_LEADING_VERB)):
            self._at = found.end()
            verbs.append(Opaque(found.start(), found.end()))
        node = self._choice()
        if self._at < len(self._text):
            raise NotUnderstoodError(f"unexpected {self._text[self._at]!r} at {self._at}")
        return Sequence(start, self._at, (*verbs, node)) if verbs else node

    # -- structure

    def _choice(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotUnderstoodError("too deeply nested")
        start = self._at
        branches = [self._sequence()]
        while self._peek("|"):
            self._at += 1
            branches.append(self._sequence())
        self._depth -= 1
        return branches[0] if len(branches) == 1 else Choice(start, self._at, tuple(branches))

    def _sequence(self) -> Node:
        start = self._at
        items: list[Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            if self._flags.extended and self._skip_blank():
                continue
            item = self._item()
            if item is not None:
                items.extend(self._quantified(each) if each is item[-1] else each for each in item)
        return items[0] if len(items) == 1 else Sequence(start, self._at, tuple(items))

    def _skip_blank(self) -> bool:
        char = self._text[self._at]
        if char == "#":
            end = self._text.find("\n", self._at)
            self._at = len(self._text) if end < 0 else end + 1
            return True
        if char in " \t\n\v\f\r":
            self._at += 1
            return True
        return False

    def _quantified(self, item: Node) -> Node:
        while True:
            while self._flags.extended and self._at < len(self._text) and self._skip_blank():
                pass
            found = self._match(_QUANTIFIER) if self._peek(("*", "+", "?", "{")) else None
            # "{,5}" is text before PCRE2 10.43: nobody can tell what is meant.
            if found is not None and found[5] is not None:
                raise NotUnderstoodError("{,N} depends on the version of PCRE2")
            if found is None:
                return item
            self._at = found.end()
            low, high = _bounds(found)
            item = Repeat(item.start, self._at, item, low, high, possessive=found[6] == "+")

    def _item(self) -> tuple[Node, ...] | None:
        """The next part; None for what is only an option or a comment."""
        start, char = self._at, self._text[self._at]
        if char == "(":
            node = self._parenthesis()
            return None if node is None else (node,)
        if char == "\\":
            return self._escape()
        self._at += 1
        if char == "[":
            return (self._bracket(start),)
        if char == ".":
            return (Chars(start, self._at, ALL if self._flags.dotall else ALL ^ NEWLINE, "dot"),)
        if char in "^$":
            kind = "line" if self._flags.multiline else "start" if char == "^" else "end"
            return (Anchor(start, self._at, kind),)
        if char in "*+?":
            raise NotUnderstoodError(f"nothing to repeat at {start}")
        return (self._literal(char, start),)

    def _literal(self, char: str, start: int) -> Chars:
        chars = bytes_of(char)
        return Chars(start, self._at, fold(chars) if self._flags.caseless else chars, "literal")

    def _peek(self, text: str | tuple[str, ...]) -> bool:
        return self._text.startswith(text, self._at)

    def _match(self, pattern: str) -> re.Match[str] | None:
        return re.compile(pattern).match(self._text, self._at)

    # -- parentheses

    def _parenthesis(self) -> Node | None:
        start = self._at
        if not self._peek("(?"):
            return self._group(start)
        if self._peek(_NAMING):
            return self._group(start)
        for pattern, make in ((_SKIPPED, None), (_CALL, Opaque), (_REFERENCE, BackReference)):
            found = self._match(pattern)
            if found is not None:
                self._at = found.end()
                if make is BackReference:
                    return BackReference(start, self._at, _referenced(found, self.groups))
                return make(start, self._at) if make is not None else None  # type: ignore[call-arg]
        found = self._match(_OPTIONS)
        return self._options(found) if found is not None else self._group(start)

    def _options(self, found: re.Match[str]) -> Node | None:
        before = self._flags
        self._at = found.end()
        self._flags = _with_options(before, found[1])
        if found[2] == ")":
            return None  # holds to the end of the group, which restores the flags
        return self._inside(found.start(), None, None, flags=before)

    def _group(self, start: int) -> Node:
        special = self._special_group(start) if self._peek(("(?", "(*")) else None
        if special is not None:
            return special
        named = self._match(_NAMED) if self._peek("(?") else None
        if named is None and self._peek("(?"):
            raise NotUnderstoodError(f"unknown group {self._text[start : start + 4]!r}")
        self._at = named.end() if named else start + 1
        if named is None and self._flags.no_capture:
            return self._inside(start, None, None)
        self.groups += 1
        name = (named[1] or named[2]) if named else None
        if name is not None:
            self.names.setdefault(name, self.groups)
        return self._inside(start, self.groups, name)

    def _special_group(self, start: int) -> Node | None:
        """Parentheses that capture nothing; None for those that do."""
        for opening, (ahead, negative) in _LOOKS.items():
            if self._peek(opening):
                self._at += len(opening)
                inner = self._inside(start, None, None)
                return Look(start, self._at, inner.item, ahead, negative)
        for opening in _ATOMIC:
            if self._peek(opening):
                self._at += len(opening)
                return replace(self._inside(start, None, None), atomic=True)
        if self._peek("(?|"):
            return self._branch_reset(start)
        if self._peek("(?("):
            return self._condition(start)
        if self._peek("(*"):
            end = self._text.find(")", start)
            if end < 0:
                raise NotUnderstoodError("a verb without an end")
            self._at = end + 1
            return Opaque(start, self._at)
        return None

    def _inside(self, start: int, number: int | None, name: str | None, flags: _Flags | None = None) -> Group:
        outer = flags or self._flags
        item = self._choice()
        self._close()
        self._flags = outer
        return Group(start, self._at, item, number, name)

    def _branch_reset(self, start: int) -> Node:
        """``(?|…)``: every branch counts its groups from the same number."""
        self._at += 3
        outer, first, highest = self._flags, self.groups, self.groups
        branches = []
        while True:
            self.groups = first
            branches.append(self._sequence())
            highest = max(highest, self.groups)
            if not self._peek("|"):
                break
            self._at += 1
        self.groups = highest
        item = Choice(start, self._at, tuple(branches))
        self._close()
        self._flags = outer
        return Group(start, self._at, item, None)

    def _condition(self, start: int) -> Node:
        """``(?(1)yes|no)``: both branches are read, for their groups; which one holds is not followed."""
        end = self._text.find(")", start)
        if end < 0 or self._text[start + 3 : start + 5] in ("?=", "?!", "?<"):
            raise NotUnderstoodError("a condition that is an assertion")
        self._at = end + 1
        body = self._inside(start, None, None)
        return Sequence(start, self._at, (Opaque(start, end + 1), body))

    def _close(self) -> None:
        if not self._peek(")"):
            raise NotUnderstoodError("a parenthesis is not closed")
        self._at += 1

    # -- escapes

    def _escape(self) -> tuple[Node, ...]:
        start = self._at
        if self._peek("\\Q"):
            return self._quoted(start)
        if self._peek("\\E"):
            self._at += 2
            return (Sequence(start, self._at, ()),)
        if self._peek(_REFERRING) and (call := self._match(_CALL)):
            self._at = call.end()
            return (Opaque(start, self._at),)
        found = self._match(_REFERENCE) if self._peek(_REFERRING) else None
        if found is not None and not (found[7] and int(found[7]) > max(self.groups, 9)):
            self._at = found.end()
            return (BackReference(start, self._at, _referenced(found, self.groups)),)
        code = self._code()
        if code is not None:
            return (self._literal(code, start),)
        if start + 1 >= len(self._text):
            raise NotUnderstoodError("a backslash at the end")
        return (self._simple_escape(start, self._text[start + 1]),)

    def _simple_escape(self, start: int, char: str) -> Node:
        self._at = start + 2
        if char in SHORTHAND:
            return Chars(start, self._at, SHORTHAND[char], "class")
        if char in ESCAPES:
            return self._literal(ESCAPES[char], start)
        if char in "AZzG":
            return Anchor(start, self._at, "start" if char in "AG" else "end")
        if char in "bB":
            return Anchor(start, self._at, "word")
        if char == "N":
            return Chars(start, self._at, ALL ^ NEWLINE, "class")
        if char == "R":
            return Chars(start, self._at, LINE_BREAK, "class")
        if char == "C":
            return Chars(start, self._at, ALL, "class")
        if char == "K":
            return Sequence(start, self._at, ())
        if char.isascii() and char.isalnum():
            raise NotUnderstoodError(f"\\{char} is not followed here")
        return self._literal(char, start)

    def _quoted(self, start: int) -> tuple[Node, ...]:
        end = self._text.find("\\E", start)
        stop = len(self._text) if end < 0 else end
        chars = []
        for at in range(start + 2, stop):
            self._at = at + 1
            chars.append(self._literal(self._text[at], at))
        self._at = stop if end < 0 else end + 2
        return tuple(chars) or (Sequence(start, self._at, ()),)

    def _code(self) -> str | None:
        """A character by its number, such as ``\\x2f``."""
        found = self._match(_CODE) if self._peek(_CODED) else None
        if found is None:
            return None
        self._at = found.end()
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

    # -- brackets

    def _bracket(self, start: int) -> Chars:
        negated = self._peek("^")
        self._at += negated
        chars, first = 0, True
        while first or not self._peek("]"):
            if self._at >= len(self._text):
                raise NotUnderstoodError("a bracket is not closed")
            chars |= self._member()
            first = False
        self._at += 1
        if self._flags.caseless:
            chars = fold(chars)
        return Chars(start, self._at, ALL ^ chars if negated else chars, "class")

    def _member(self) -> int:
        """One member of a bracket: a class, a character, or a range."""
        posix = self._match(r"\[:(\^?)([a-z]+):\]") if self._peek("[:") else None
        if posix is not None:
            if posix[2] not in POSIX:
                raise NotUnderstoodError(f"unknown class [:{posix[2]}:]")
            self._at = posix.end()
            return ALL ^ POSIX[posix[2]] if posix[1] else POSIX[posix[2]]
        if self._peek("[.") or self._peek("[="):
            raise NotUnderstoodError("collating elements")
        first = self._member_char()
        if isinstance(first, int):
            return first
        if not self._peek("-") or self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return bytes_of(first)
        mark = self._at
        self._at += 1
        last = "-" if self._peek("[:") else self._member_char()
        if isinstance(last, int) or self._peek("[:"):
            self._at = mark + 1  # "[a-\\d]": the hyphen stands for itself
            return bytes_of(first + "-")
        if last < first:
            raise NotUnderstoodError("a range out of order")
        return between(first, last)

    def _member_char(self) -> str | int:
        """A character of a bracket, or the set of an escape such as ``\\w``."""
        char = self._text[self._at]
        if char != "\\":
            self._at += 1
            return char
        if self._peek("\\Q") or self._peek("\\E"):
            raise NotUnderstoodError("\\Q in brackets")
        octal = self._match(r"\\([0-7]{1,3})")
        if octal is not None:
            self._at = octal.end()
            return chr(int(octal[1], 8) & 255)
        code = self._code()
        if code is not None:
            return code
        char = self._text[self._at + 1 : self._at + 2]
        self._at += 2
        if char in SHORTHAND:
            return SHORTHAND[char]
        if char == "b":
            return "\b"
        if char in ESCAPES:
            return ESCAPES[char]
        if not char or (char.isascii() and char.isalnum()):
            raise NotUnderstoodError(f"\\{char} in brackets")
        return char


def _bounds(found: re.Match[str]) -> tuple[int, int | None]:
    if found[1]:
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[found[1]]
    low = int(found[2])
    return low, (low if not found[3] else int(found[4]) if found[4] else None)


def _referenced(found: re.Match[str], groups: int) -> int | str:
    name = next((found[i] for i in (1, 2, 3, 4, 6) if found[i]), None)
    if name is not None:
        return name
    number = int(found[5] or found[7])
    return number if number > 0 else groups + 1 + number


def _with_options(flags: _Flags, text: str) -> _Flags:
    if text.startswith("^"):
        flags, text = _Flags(), text[1:]
    on, _, off = text.partition("-")
    names = {"i": "caseless", "s": "dotall", "m": "multiline", "x": "extended", "n": "no_capture"}
    changes = {names[char]: True for char in on if char in names}
    changes |= {names[char]: False for char in off if char in names}
    return replace(flags, **changes)
