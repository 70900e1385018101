"""Reading the syntax of PCRE2: text to parts.

Whether an expression is valid is PCRE's own business (``nginx -t`` compiles it); this reader wants
to understand valid ones. Facts: pcre2pattern(3).
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from nginxaudit.pcre.brackets import bracket
from nginxaudit.pcre.classes import ESCAPES, LINE_BREAK, SHORTHAND
from nginxaudit.pcre.cursor import Cursor, Flags, NotUnderstoodError, with_options
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
_NAMING = ("(?<", "(?'")
_REFERRING = tuple(f"\\{char}" for char in "gk123456789")


class Reader(Cursor):
    """One reading. ``text`` has one character per byte; groups are counted as PCRE counts them."""

    def __init__(self, text: str, *, caseless: bool) -> None:
        super().__init__(text, Flags(caseless=caseless))
        self._depth = 0
        self.groups = 0
        self.names: dict[str, int] = {}

    def read(self) -> Node:
        """The whole expression. Raises `NotUnderstoodError`."""
        start = self.at
        verbs: list[Node] = []
        while self.peek("(*") and (found := self.match(_LEADING_VERB)):
            self.at = found.end()
            verbs.append(Opaque(found.start(), found.end()))
        node = self._choice()
        if self.at < len(self.text):
            raise NotUnderstoodError(f"unexpected {self.text[self.at]!r} at {self.at}")
        return Sequence(start, self.at, (*verbs, node)) if verbs else node

    # -- structure

    def _choice(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotUnderstoodError("too deeply nested")
        start = self.at
        branches = [self._sequence()]
        while self.peek("|"):
            self.at += 1
            branches.append(self._sequence())
        self._depth -= 1
        return branches[0] if len(branches) == 1 else Choice(start, self.at, tuple(branches))

    def _sequence(self) -> Node:
        start = self.at
        items: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            if self.flags.extended and self._skip_blank():
                continue
            item = self._item()
            if item is not None:
                items.extend(self._quantified(each) if each is item[-1] else each for each in item)
        return items[0] if len(items) == 1 else Sequence(start, self.at, tuple(items))

    def _skip_blank(self) -> bool:
        char = self.text[self.at]
        if char == "#":
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end + 1
            return True
        if char in " \t\n\v\f\r":
            self.at += 1
            return True
        return False

    def _quantified(self, item: Node) -> Node:
        while True:
            while self.flags.extended and self.at < len(self.text) and self._skip_blank():
                pass
            found = self.match(_QUANTIFIER) if self.peek(("*", "+", "?", "{")) else None
            # "{,5}" is text before PCRE2 10.43: nobody can tell what is meant.
            if found is not None and found[5] is not None:
                raise NotUnderstoodError("{,N} depends on the version of PCRE2")
            if found is None:
                return item
            self.at = found.end()
            low, high = _bounds(found)
            item = Repeat(item.start, self.at, item, low, high, possessive=found[6] == "+")

    def _item(self) -> tuple[Node, ...] | None:
        """The next part; None for what is only an option or a comment."""
        start, char = self.at, self.text[self.at]
        if char == "(":
            node = self._parenthesis()
            return None if node is None else (node,)
        if char == "\\":
            return self._escape()
        self.at += 1
        if char == "[":
            return (bracket(self, start),)
        if char == ".":
            return (Chars(start, self.at, ALL if self.flags.dotall else ALL ^ NEWLINE, "dot"),)
        if char in "^$":
            kind = "line" if self.flags.multiline else "start" if char == "^" else "end"
            return (Anchor(start, self.at, kind),)
        if char in "*+?":
            raise NotUnderstoodError(f"nothing to repeat at {start}")
        return (self.literal(char, start),)

    # -- parentheses

    def _parenthesis(self) -> Node | None:
        start = self.at
        if not self.peek("(?"):
            return self._group(start)
        if self.peek(_NAMING):
            return self._group(start)
        for pattern, make in ((_SKIPPED, None), (_CALL, Opaque), (_REFERENCE, BackReference)):
            found = self.match(pattern)
            if found is not None:
                self.at = found.end()
                if make is BackReference:
                    return BackReference(start, self.at, _referenced(found, self.groups))
                return make(start, self.at) if make is not None else None  # type: ignore[call-arg]
        found = self.match(_OPTIONS)
        return self._options(found) if found is not None else self._group(start)

    def _options(self, found: re.Match[str]) -> Node | None:
        before = self.flags
        self.at = found.end()
        self.flags = with_options(before, found[1])
        if found[2] == ")":
            return None  # holds to the end of the group, which restores the flags
        return self._inside(found.start(), None, None, flags=before)

    def _group(self, start: int) -> Node:
        special = self._special_group(start) if self.peek(("(?", "(*")) else None
        if special is not None:
            return special
        named = self.match(_NAMED) if self.peek("(?") else None
        if named is None and self.peek("(?"):
            raise NotUnderstoodError(f"unknown group {self.text[start : start + 4]!r}")
        self.at = named.end() if named else start + 1
        if named is None and self.flags.no_capture:
            return self._inside(start, None, None)
        self.groups += 1
        name = (named[1] or named[2]) if named else None
        if name is not None:
            self.names.setdefault(name, self.groups)
        return self._inside(start, self.groups, name)

    def _special_group(self, start: int) -> Node | None:
        """Parentheses that capture nothing; None for those that do."""
        for opening, (ahead, negative) in _LOOKS.items():
            if self.peek(opening):
                self.at += len(opening)
                inner = self._inside(start, None, None)
                return Look(start, self.at, inner.item, ahead, negative)
        for opening in _ATOMIC:
            if self.peek(opening):
                self.at += len(opening)
                return replace(self._inside(start, None, None), atomic=True)
        if self.peek("(?|"):
            return self._branch_reset(start)
        if self.peek("(?("):
            return self._condition(start)
        if self.peek("(*"):
            end = self.text.find(")", start)
            if end < 0:
                raise NotUnderstoodError("a verb without an end")
            self.at = end + 1
            return Opaque(start, self.at)
        return None

    def _inside(self, start: int, number: int | None, name: str | None, flags: Flags | None = None) -> Group:
        outer = flags or self.flags
        item = self._choice()
        self._close()
        self.flags = outer
        return Group(start, self.at, item, number, name)

    def _branch_reset(self, start: int) -> Node:
        """``(?|…)``: every branch counts its groups from the same number."""
        self.at += 3
        outer, first, highest = self.flags, self.groups, self.groups
        branches = []
        while True:
            self.groups = first
            branches.append(self._sequence())
            highest = max(highest, self.groups)
            if not self.peek("|"):
                break
            self.at += 1
        self.groups = highest
        item = Choice(start, self.at, tuple(branches))
        self._close()
        self.flags = outer
        return Group(start, self.at, item, None)

    def _condition(self, start: int) -> Node:
        """``(?(1)yes|no)``: both branches are read, for their groups; which one holds is not followed."""
        end = self.text.find(")", start)
        if end < 0 or self.text[start + 3 : start + 5] in ("?=", "?!", "?<"):
            raise NotUnderstoodError("a condition that is an assertion")
        self.at = end + 1
        body = self._inside(start, None, None)
        return Sequence(start, self.at, (Opaque(start, end + 1), body))

    def _close(self) -> None:
        if not self.peek(")"):
            raise NotUnderstoodError("a parenthesis is not closed")
        self.at += 1

    # -- escapes

    def _escape(self) -> tuple[Node, ...]:
        start = self.at
        if self.peek("\\Q"):
            return self._quoted(start)
        if self.peek("\\E"):
            self.at += 2
            return (Sequence(start, self.at, ()),)
        if self.peek(_REFERRING) and (call := self.match(_CALL)):
            self.at = call.end()
            return (Opaque(start, self.at),)
        found = self.match(_REFERENCE) if self.peek(_REFERRING) else None
        if found is not None and not (found[7] and int(found[7]) > max(self.groups, 9)):
            self.at = found.end()
            return (BackReference(start, self.at, _referenced(found, self.groups)),)
        code = self.code()
        if code is not None:
            return (self.literal(code, start),)
        if start + 1 >= len(self.text):
            raise NotUnderstoodError("a backslash at the end")
        return (self._simple_escape(start, self.text[start + 1]),)

    def _simple_escape(self, start: int, char: str) -> Node:
        self.at = start + 2
        if char in SHORTHAND:
            return Chars(start, self.at, SHORTHAND[char], "class")
        if char in ESCAPES:
            return self.literal(ESCAPES[char], start)
        if char in "AZzG":
            return Anchor(start, self.at, "start" if char in "AG" else "end")
        if char in "bB":
            return Anchor(start, self.at, "word")
        if char == "N":
            return Chars(start, self.at, ALL ^ NEWLINE, "class")
        if char == "R":
            return Chars(start, self.at, LINE_BREAK, "class")
        if char == "C":
            return Chars(start, self.at, ALL, "class")
        if char == "K":
            return Sequence(start, self.at, ())
        if char.isascii() and char.isalnum():
            raise NotUnderstoodError(f"\\{char} is not followed here")
        return self.literal(char, start)

    def _quoted(self, start: int) -> tuple[Node, ...]:
        end = self.text.find("\\E", start)
        stop = len(self.text) if end < 0 else end
        chars = []
        for at in range(start + 2, stop):
            self.at = at + 1
            chars.append(self.literal(self.text[at], at))
        self.at = stop if end < 0 else end + 2
        return tuple(chars) or (Sequence(start, self.at, ()),)


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
