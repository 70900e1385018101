"""Words to statements, with a sound structure even where the text has none.

crossplane builds the tree from a stream of words. This module makes that stream well-formed: every
statement is terminated, every block closed. What had to be fixed is told as a `Problem`, and the
rest of the file is analysed as if it had been written so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from sys import intern
from typing import TypeVar

from msgspec import Struct, field

from nginxaudit.nginx import PSEUDO_CONTEXTS
from nginxaudit.nginx.lua import end_of_lua_block
from nginxaudit.source.limits import DEFAULTS, Limits, raised
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.braces import Diagnosis, Seen, brace_problems, diagnose, located
from nginxaudit.syntax.lexer import BUFFER_BYTES, Lexer
from nginxaudit.syntax.semicolons import split_point
from nginxaudit.syntax.tree import Comment, Problem, Token, Words
from nginxaudit.templates import FILLER

_DATA_BLOCKS = frozenset(context.removesuffix("-block") for context in PSEUDO_CONTEXTS)
_LUA_SUFFIX = "_by_lua_block"

_T = TypeVar("_T")
Piece = tuple[Words | str, int, bool]  # what crossplane's lexer yields: word, line (here the offset), quoted
_CLOSE: Piece = ("}", 0, False)
_OPEN: Piece = ("{", 0, False)
_SEMICOLON: Piece = (";", 0, False)
_LONG = BUFFER_BYTES // 4  # in code points: nothing shorter is too long for nginx in any encoding

_WORDS = re.compile(r"[^ \t\r\n]+")
_OTHER_SPACE = re.compile(r"[\x0b\x0c\x1c-\x1f]")

# A whole statement without quotes, backslashes and ${, a closing brace, or a comment. What does not look
# like this is read word by word.
_PLAIN = re.compile(
    r"""
    [ \t\r\n]*+
    (?: ([^ \t\r\n;{}"'#\\$][^ \t\r\n;{\\$]*+)                              # 1: name
        ((?:[ \t\r\n]++[^ \t\r\n;{}"'#\\][^ \t\r\n;{\\]*+)*+)               # 2: arguments
        [ \t\r\n]*+ (?: (;) | (?<!\$)({) )                                    # 3, 4: its end
      | (\})                                                                  # 5
      | (\#[^\n]*+)                                                           # 6: comment
    )
    """,
    re.VERBOSE,
)


class Bounds(Struct):
    """Places that crossplane's tree has no room for: one entry per statement, in reading order.

    ``ends``: offset behind the ``;`` or ``{``. ``closes``: offset of the matching ``}``, or None.
    """

    ends: list[int] = field(default_factory=list)
    closes: list[int | None] = field(default_factory=list)


class _Open(Struct):
    name: str
    index: int  # position of its statement in Bounds; -1 for braces that belong to no directive


class StatementReader:
    """Reads one text as a well-formed stream of words.

    ``diagnosis`` is that of a first reading that did not balance.
    """

    def __init__(
        self, source: SourceText, diagnosis: Diagnosis | None = None, limits: Limits = DEFAULTS
    ) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.lexer = Lexer(source, self.problems)
        self.text = self.lexer.text
        self.bounds = Bounds()
        self.braces: list[Seen] = []
        self.balanced = True
        self.cut = False  # a limit ended the reading
        self._limits = limits
        self._out: list[Piece] = []
        self._stack: list[_Open] = []
        self._data_depth = 0
        self._diagnosis = diagnosis or Diagnosis()
        self._closings = sorted(at for _, at in self._diagnosis.missing)
        self._extra = {brace.at for brace in self._diagnosis.extra}
        self._split_words = str.split if _is_simple(source.text) else _WORDS.findall

    @property
    def comments(self) -> list[Comment]:
        """Comments seen so far."""
        return self.lexer.comments

    def read(self) -> list[Piece]:
        """The words for crossplane. Reading them fills ``bounds``, ``problems`` and ``comments``."""
        words: list[Token] = []
        template = self.source.template is not None
        plain = not self.lexer.torn and not self._closings and not self._extra and not template
        if plain:
            self._plain()
        for token in self.lexer:
            if token.quoted or token not in _PUNCTUATION:
                if not words and self._closings:
                    self._virtual_closings(token.start)
                if template and words and self._are_values(words, token.start):
                    words = []
                words.append(token)
                continue
            if template and words and token == "}" and self._are_values(words, token.start):
                words = []
            if token == ";":
                self._end(words, token)
            elif token == "{":
                self._open(words, token)
            else:
                self._close(words, token)
            words = []
            if len(self.bounds.ends) > self._limits.max_directives:
                self._skip_rest(token)
                break
            if plain:
                self._plain()
        if template and words and self._are_values(words, len(self.text)):
            words = []
        self._finish(words)
        read, self._out = self._out, []  # whoever consumes them shall be the last to hold them
        return read

    def _plain(self) -> None:
        """What follows as long as it is written plainly: whole statements at a time, as most of any text is."""
        text, match = self.text, _PLAIN.match
        split, add = self._split_words, self._out.append
        ends, closes, stack, position = self.bounds.ends, self.bounds.closes, self._stack, self.lexer.position
        while len(ends) < self._limits.max_directives:
            found = match(text, position)
            if found is None:
                break
            kind = found.lastindex
            if kind == 5:
                if not stack:
                    break
                self.braces.append((found.end() - 1, -1, -1))
                self._pop(found.end() - 1)
            elif kind == 6:
                self.lexer.comment(*found.span(6))
            else:
                word, written = found.group(1, 2)
                start, end = found.start(1), found.end()
                several = "\n" in written and not self._data_depth
                if several or end - start >= _LONG or (kind == 4 and self._is_special_block(word)):
                    break
                name = word if self._data_depth else intern(word)
                add((name, start, False))
                if written:
                    add((_located(split(written), written, found.start(2)), 0, False))
                ends.append(end)
                closes.append(None)
                if kind == 3:
                    add(_SEMICOLON)
                else:
                    self._push(name, (end - 1, start, start + len(name)), len(ends) - 1)
                    add(_OPEN)
            position = found.end()
        self.lexer.position = position

    def _is_special_block(self, name: str) -> bool:
        return name.endswith(_LUA_SUFFIX) or len(self._stack) >= self._limits.max_depth

    def _are_values(self, words: list[Token], before: int) -> bool:
        """Whether ``words`` are values of a template on lines of their own, for statements that nobody knows.

        Then they are passed on as one: a directive with a name that is filled in. ``before`` is where the next word begins.
        """
        if not words[0].filled or "\n" not in self.text[words[-1].end : before] + "\n" * (
            before >= len(self.text)
        ):
            return False
        values = self.text[words[0].start : words[-1].end]
        if values.strip(FILLER + " \t\r\n"):
            return False
        self._emit(words, words[-1].end, _SEMICOLON)
        return True

    # -- the four ways a statement ends

    def _end(self, words: list[Token], token: Token) -> None:
        if words:
            self._statement(words, token.end, _SEMICOLON)
            return
        self._report(
            "unexpected-token", 'unexpected ";": there is no directive before it', token, "Delete it."
        )

    def _open(self, words: list[Token], token: Token) -> None:
        if not words:
            self._report(
                "unexpected-token",
                'unexpected "{": there is no directive before it',
                token,
                "Name the block, or delete the brace and its partner.",
            )
            self._push(token, (token.start, token.start, token.end), -1)
        elif words[0].endswith(_LUA_SUFFIX):
            self._lua_body(words, token)
        elif len(self._stack) >= self._limits.max_depth:
            self._skip_deep_block(words, token)
        else:
            name = self._statement(words, token.end, _OPEN)
            self._push(name, (token.start, name.start, name.end), len(self.bounds.ends) - 1)

    def _close(self, words: list[Token], token: Token) -> None:
        if words:
            self._unterminated(words, "the block is closed first")
        if self._closings:
            self._virtual_closings(token.start)
        self.braces.append((token.start, -1, -1))
        if token.start in self._extra:
            return
        if not self._stack:
            self.balanced = False
            return
        self._pop(token.start)

    def _finish(self, words: list[Token]) -> None:
        if words:
            self._unterminated(words, "the file ends before it does")
        while self._closings and self._stack:
            self._closings.pop()
            self._pop(len(self.text))
        while self._stack:
            self.balanced = False
            self._pop(len(self.text))

    # -- pieces of the above: they append to ``_out``

    def _statement(self, words: list[Token], end: int, terminator: Piece) -> Token:
        """Emit ``words``, or the several statements that they are; returns the name of the last one."""
        first = 0
        if not self._data_depth and "\n" in self.text[words[0].start : words[-1].start]:
            first = self._split(words, opens_block=terminator is _OPEN)
        self._emit(words[first:] if first else words, end, terminator)
        return words[first]

    def _split(self, words: list[Token], *, opens_block: bool) -> int:
        """Emit the statements at the start of ``words`` that lack a semicolon; where the last one begins."""
        first = 0
        while (split := split_point(self.text, words, first, opens_block=opens_block)) is not None:
            statement = words[first:split]
            self._report_missing_semicolon(statement, f"{words[split]!s} follows on the next line")
            self._emit(statement, statement[-1].end, _SEMICOLON)
            first = split
            self._virtual_closings(words[first].start)
        return first

    def _unterminated(self, words: list[Token], why: str) -> None:
        first = self._split(words, opens_block=False) if not self._data_depth else 0
        self._report_missing_semicolon(words[first:], why)
        self._emit(words[first:], words[-1].end, _SEMICOLON)

    def _emit(self, words: list[Token], end: int, terminator: Piece) -> None:
        self.bounds.ends.append(end)
        self.bounds.closes.append(None)
        name = words[0]
        as_read = name.end - name.start == len(name) and not name.filled
        self._out.append((intern(str(name)) if as_read else name, name.start, name.quoted))
        if len(words) > 1:
            self._out.append((Words(words[1:]), 0, False))
        self._out.append(terminator)

    def _push(self, name: str, brace: Seen, index: int) -> None:
        self.braces.append(brace)
        self._stack.append(_Open(name, index))
        self._data_depth += name in _DATA_BLOCKS

    def _pop(self, at: int) -> None:
        opened = self._stack.pop()
        self._data_depth -= opened.name in _DATA_BLOCKS
        if opened.index >= 0:
            self.bounds.closes[opened.index] = at
            self._out.append(_CLOSE)

    def _virtual_closings(self, before: int) -> None:
        """Close the blocks whose missing ``}`` belongs somewhere before ``before``."""
        while self._closings and self._closings[0] <= before and self._stack:
            self._pop(self._closings.pop(0))

    def _lua_body(self, words: list[Token], token: Token) -> None:
        end = end_of_lua_block(self.text, token.end)
        if end is None:
            self._report(
                "unmatched-braces",
                f"the Lua code of {words[0]} is never closed",
                words[0],
                "Close the block with }, and look for an unclosed string or comment in the code.",
                analysed=False,
            )
            end = len(self.text)
        make = Token.make_filled if FILLER in self.text[token.end : end] else Token.make
        body = make(self.source.text[token.end : end], token.end, end, True)
        self.lexer.position = min(end + 1, len(self.text))
        self._emit([*words, body], self.lexer.position, _SEMICOLON)

    def _skip_deep_block(self, words: list[Token], token: Token) -> None:
        """Leave out a block that is nested too deep, counting braces only."""
        if not self.lexer.skip_block():
            self.cut = True  # which of so many braces is missing is not worth a second reading
        self.problems.append(
            Problem(
                "limit-exceeded",
                f"blocks are nested more than {self._limits.max_depth} levels deep; the inner ones were not analysed",
                self.source,
                words[0].start,
                token.end,
                help=f"Flatten the configuration, {raised('max_depth')}; nginx needs less than ten levels.",
                analysed=False,
            )
        )

    def _skip_rest(self, token: Token) -> None:
        """Leave out everything behind ``token``; blocks that are open end there."""
        self._closings = []
        self.cut = True
        self.problems.append(
            Problem(
                "limit-exceeded",
                f"the file has more than {self._limits.max_directives:,} directives; the others were not analysed",
                self.source,
                token.start,
                token.end,
                help=f"Split the configuration, {raised('max_directives')}.",
                analysed=False,
            )
        )

    def _report_missing_semicolon(self, words: list[Token], why: str) -> None:
        self.problems.append(
            Problem(
                "missing-semicolon",
                f'"{words[0]}" is not terminated by ";": {why}',
                self.source,
                words[0].start,
                words[-1].end,
                help=f'Put a ";" after "{words[-1] or words[0]}".',
            )
        )

    def _report(self, kind: str, message: str, token: Token, remedy: str, *, analysed: bool = True) -> None:
        self.problems.append(
            Problem(kind, message, self.source, token.start, token.end, help=remedy, analysed=analysed)
        )


_PUNCTUATION: Collection[str] = frozenset(";{}")


def _is_simple(text: str) -> bool:
    """Whether Python and nginx mean the same by white space, as far as this text goes."""
    return text.isascii() and _OTHER_SPACE.search(text) is None


def _located(plain: list[str], written: str, start: int) -> Words:
    """The ``plain`` words of ``written``, which begins at ``start``."""
    new = str.__new__
    words = Words()
    position = 0
    for word in plain:
        position = written.index(word, position)
        token = new(Token, word)
        token.start = start + position
        position += len(word)
        words.append(token)
    return words


def read_statements(
    source: SourceText, consume: Callable[[Iterator[Piece]], _T], limits: Limits = DEFAULTS
) -> tuple[StatementReader, _T]:
    """Read ``source`` through ``consume`` (crossplane); a text that does not balance is read twice.

    Returns the reader with its problems and places, and what ``consume`` returned.
    """
    reader = StatementReader(source, limits=limits)
    tree = consume(iter(reader.read()))
    if reader.balanced or reader.cut:
        return reader, tree
    diagnosis = diagnose(located(source.text, reader.braces), len(source.text))
    second = StatementReader(source, diagnosis, limits)
    tree = consume(iter(second.read()))
    second.problems.extend(brace_problems(source, diagnosis))
    return second, tree
