"""Words to statements, with a sound structure even where the text has none.

crossplane builds the tree from a stream of words. This module makes that stream well-formed: every
statement is terminated, every block closed. What had to be mended is told as a `Problem`, and the
rest of the file is analysed as if it had been written so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

from msgspec import Struct, field

from nginxaudit.nginx import PSEUDO_CONTEXTS
from nginxaudit.source.limits import DEFAULTS, Limits, raised
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.braces import Brace, Diagnosis, diagnose
from nginxaudit.syntax.lexer import Lexer
from nginxaudit.syntax.lua import end_of_lua_block
from nginxaudit.syntax.semicolons import split_point
from nginxaudit.syntax.tree import Comment, Problem, Token

_DATA_BLOCKS = frozenset(context.removesuffix("-block") for context in PSEUDO_CONTEXTS)
_LUA_SUFFIX = "_by_lua_block"
_INDENT = re.compile(r"[ \t\r]*")
_CLOSE = Token.make("}", 0, 0)
_OPEN = Token.make("{", 0, 0)
_SEMICOLON = Token.make(";", 0, 0)

_T = TypeVar("_T")
Piece = tuple[Token, int, bool]  # what crossplane's lexer yields: word, line, quoted


class Bounds(Struct):
    """Places that crossplane's tree has no room for: one entry per statement, in reading order.

    ``ends``: offset behind the ``;`` or ``{``. ``closes``: offset of the matching ``}``, or None.
    """

    ends: list[int] = field(default_factory=list)
    closes: list[int | None] = field(default_factory=list)


class _Open(Struct):
    name: Token
    index: int  # position of its statement in Bounds; -1 for braces that belong to no directive
    brace: Brace


class StatementReader:
    """Reads one text as a well-formed stream of words.

    ``mend`` is the diagnosis of a first reading that did not balance.
    """

    def __init__(self, source: SourceText, mend: Diagnosis | None = None, limits: Limits = DEFAULTS) -> None:
        self.source = source
        self.text = source.text
        self.problems: list[Problem] = []
        self.lexer = Lexer(source, self.problems)
        self.bounds = Bounds()
        self.braces: list[Brace] = []
        self.balanced = True
        self.cut = False  # a limit ended the reading
        self._limits = limits
        self._out: list[Piece] = []
        self._stack: list[_Open] = []
        self._data_depth = 0
        self._line_start = self._line_searched = 0
        self._mend = mend or Diagnosis()
        self._closings = sorted(at for _, at in self._mend.missing)
        self._extra = {brace.at for brace in self._mend.extra}

    @property
    def comments(self) -> list[Comment]:
        """Comments seen so far."""
        return self.lexer.comments

    def pieces(self) -> Iterator[Piece]:
        """The stream for crossplane. Consuming it fills ``bounds``, ``problems`` and ``comments``."""
        words: list[Token] = []
        out = self._out
        for token in self.lexer:
            if token.quoted or token not in _PUNCTUATION:
                if not words and self._closings:
                    self._virtual_closings(token.start)
                words.append(token)
                continue
            if token == ";":
                self._end(words, token)
            elif token == "{":
                self._open(words, token)
            else:
                self._close(words, token)
            words = []
            yield from out
            out.clear()
            if len(self.bounds.ends) > self._limits.max_directives:
                self._skip_rest(token)
                break
        self._finish(words)
        yield from out

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
            self._push(token, token, -1)
        elif words[0].endswith(_LUA_SUFFIX):
            self._lua_body(words, token)
        elif len(self._stack) >= self._limits.max_depth:
            self._skip_deep_block(words, token)
        else:
            name = self._statement(words, token.end, _OPEN)
            self._push(name, token, len(self.bounds.ends) - 1)

    def _close(self, words: list[Token], token: Token) -> None:
        if words:
            self._unterminated(words, "the block is closed before it ends")
        if self._closings:
            self._virtual_closings(token.start)
        self.braces.append(self._brace(token, opening=False))
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

    def _statement(self, words: list[Token], end: int, terminator: Token) -> Token:
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
            self._report_missing_semicolon(statement, f"{words[split]!s} begins on the next line")
            self._emit(statement, statement[-1].end, _SEMICOLON)
            first = split
        return first

    def _unterminated(self, words: list[Token], why: str) -> None:
        first = self._split(words, opens_block=False) if not self._data_depth else 0
        self._report_missing_semicolon(words[first:], why)
        self._emit(words[first:], words[-1].end, _SEMICOLON)

    def _emit(self, words: list[Token], end: int, terminator: Token) -> None:
        self.bounds.ends.append(end)
        self.bounds.closes.append(None)
        self._out.extend([(word, 0, word.quoted) for word in words])
        self._out.append((terminator, 0, False))

    def _push(self, name: Token, token: Token, index: int) -> None:
        brace = self._brace(token, opening=True, name=name)
        self.braces.append(brace)
        self._stack.append(_Open(name, index, brace))
        self._data_depth += name in _DATA_BLOCKS

    def _pop(self, at: int) -> None:
        opened = self._stack.pop()
        self._data_depth -= opened.name in _DATA_BLOCKS
        if opened.index >= 0:
            self.bounds.closes[opened.index] = at
            self._out.append((_CLOSE, 0, False))

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
        body = Token.make(self.text[token.end : end], token.end, end, True)
        self.lexer.position = min(end + 1, len(self.text))
        self._emit([*words, body], self.lexer.position, _SEMICOLON)

    def _skip_deep_block(self, words: list[Token], token: Token) -> None:
        """Leave out a block that is nested too deep, counting braces only."""
        depth = 1
        for inner in self.lexer:
            if not inner.quoted and inner in ("{", "}"):
                depth += 1 if inner == "{" else -1
                if depth == 0:
                    break
        if depth:
            self.balanced = False
        self.problems.append(
            Problem(
                "limit-exceeded",
                f"blocks are nested more than {self._limits.max_depth} deep; what is inside was not analysed",
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

    def _brace(self, token: Token, *, opening: bool, name: Token | None = None) -> Brace:
        start = (name or token).start
        # Only what is new is searched: all braces of a generated file may stand on one line.
        newline = self.text.rfind("\n", self._line_searched, start)
        self._line_searched = start
        if newline >= 0:
            self._line_start = newline + 1
        blanks = _INDENT.match(self.text, self._line_start)
        content = blanks.end() if blanks else start
        indent = len(self.text[self._line_start : content].expandtabs(8))
        if name is None:
            return Brace(opening, token.start, indent, first=content == start)
        return Brace(opening, token.start, indent, content == start, name.start, name.end)

    def _report_missing_semicolon(self, words: list[Token], why: str) -> None:
        self.problems.append(
            Problem(
                "missing-semicolon",
                f'"{words[0]}" is not terminated by ";": {why}',
                self.source,
                words[0].start,
                words[-1].end,
                help=f'Put a ";" behind "{words[-1] or words[0]}".',
            )
        )

    def _report(self, kind: str, message: str, token: Token, remedy: str, *, analysed: bool = True) -> None:
        self.problems.append(
            Problem(kind, message, self.source, token.start, token.end, help=remedy, analysed=analysed)
        )


_PUNCTUATION: Collection[str] = frozenset(";{}")


def read_statements(
    source: SourceText, consume: Callable[[Iterator[Piece]], _T], limits: Limits = DEFAULTS
) -> tuple[StatementReader, _T]:
    """Read ``source`` through ``consume`` (crossplane); a text that does not balance is read twice.

    Returns the reader with its problems and places, and what ``consume`` returned.
    """
    reader = StatementReader(source, limits=limits)
    tree = consume(reader.pieces())
    if reader.balanced or reader.cut:
        return reader, tree
    diagnosis = diagnose(reader.braces, len(source.text))
    second = StatementReader(source, diagnosis, limits)
    tree = consume(second.pieces())
    second.problems.extend(_brace_problems(source, diagnosis))
    return second, tree


def _brace_problems(source: SourceText, diagnosis: Diagnosis) -> Iterator[Problem]:
    for brace, at in diagnosis.missing:
        name = source.text[brace.name_start : brace.name_end]
        if not name.strip("{"):
            continue  # a brace without a directive has been told already
        where = "the file ends" if at >= len(source.text) else f"line {source.position(at)[0]} begins"
        yield Problem(
            "unmatched-braces",
            f'the "{name}" block is never closed',
            source,
            brace.name_start,
            brace.at + 1,
            help=f'Close it with "}}" before {where}.',
            related=(
                (("its } probably belongs before this", source, at, at + 1),) if at < len(source.text) else ()
            ),
            analysed=False,
        )
    for brace in diagnosis.extra:
        yield Problem(
            "unmatched-braces",
            'unexpected "}": no block is open here',
            source,
            brace.at,
            brace.at + 1,
            help="Delete it, or look above for a block that is closed too early.",
            analysed=False,
        )
