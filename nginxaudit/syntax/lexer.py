"""Text to words exactly as nginx reads them, with the place of every word.

The rules are those of nginx's own reader (``ngx_conf_read_token`` in src/core/ngx_conf_file.c):

- white space is space, tab, CR and LF only;
- quotes and ``#`` are special only at the start of a word, ``}`` too;
- behind a closing quote must come white space, ``;``, ``{`` or ``)``; the ``)`` starts a new word;
- a backslash takes the next character with it; ``\\"``, ``\\'``, ``\\\\``, ``\\t``, ``\\r`` and ``\\n`` are
  resolved, every other backslash stays;
- ``${`` does not open a block, and neither does ``${{``;
- a word or a comment that does not fit into nginx's read buffer (4096 bytes) is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nginxaudit.nginx.patterns import compiled
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.tree import Comment, Problem, Token
from nginxaudit.templates import FILLER

BUFFER_BYTES = 4096  # NGX_CONF_BUFFER
_BLANKS = frozenset(" \t\r\n")

# Everything but white space is matched by one of the groups, so a search never skips anything else.
_TOKEN = re.compile(
    r"""
      ([^ \t\r\n;{}"'#\\$][^ \t\r\n;{\\$]*+)(?![\\$])                            # 1: plain word
    | ([;{}])                                                                     # 2: punctuation
    | (\#[^\n]*+)                                                                 # 3: comment
    | ("(?:[^"\\]++|\\.)*+"(?=[ \t\r\n;{)]|\Z)|'(?:[^'\\]++|\\.)*+'(?=[ \t\r\n;{)]|\Z))  # 4: string
    | ((?:[^ \t\r\n;{}"'#\\$]|\\.|\$\{*+)(?:[^ \t\r\n;{\\$]++|\\.|\$\{*+)*+\\?)  # 5: word with $ or a backslash
    | (["'])                                                                      # 6: string gone wrong
    | (\\)                                                                        # 7: backslash before the end
    """,
    re.VERBOSE | re.DOTALL,
)
# A mistake that tears a word apart for nginx: an expression such as [0-9]{2,3} without quotes. The texts that have
# one are read so that the word stays whole.
_TORN = r"[^\s;{}$]\{[0-9]+(?:,[0-9]*)?\}"
_BRACE_AND_DIGIT = re.compile(r"\{[0-9]")
_WHOLE = r"(?<=[^\s;{}$])\{[0-9]+(?:,[0-9]*)?\}"
_TOLERANT = rf"""
      (?!)(.)                                                                     # 1: never
    | (?!{_WHOLE})([;{{}}])                                                       # 2: punctuation
    | (\#[^\n]*+)                                                                 # 3: comment
    | ("(?:[^"\\]++|\\.)*+"(?=[ \t\r\n;{{)]|\Z)|'(?:[^'\\]++|\\.)*+'(?=[ \t\r\n;{{)]|\Z))  # 4: string
    | ((?:{_WHOLE}|[^ \t\r\n;{{}}"'#\\$]|\\.|\$\{{*+)(?:{_WHOLE}|[^ \t\r\n;{{\\$]|\\.|\$\{{*+)*+\\?)  # 5: word
    | (["'])                                                                      # 6: string gone wrong
    | (\\)                                                                        # 7: backslash before the end
    """
_STRING_END = {
    '"': r'(?:[^"\\]++|\\.)*+"',
    "'": r"(?:[^'\\]++|\\.)*+'",
}
_LINE_TAIL = r"\s*(?:;[\s}]*|\{\s*)?(?:\#.*)?\Z"
_ESCAPE = re.compile(r"\\([\"'\\trn])")
_UNESCAPED = {"t": "\t", "r": "\r", "n": "\n"}
_make = Token.make


def unescape(raw: str) -> str:
    """Resolve the escapes of a word as nginx does; unknown ones keep their backslash."""
    return _ESCAPE.sub(lambda m: _UNESCAPED.get(m[1], m[1]), raw)


def end_of_unclosed(text: str, start: int) -> int:
    """Where a string that begins at ``start`` and is never closed probably ends: before what ends the directive."""
    newline = text.find("\n", start)
    line = text[start : newline if newline >= 0 else len(text)]
    return start + max(1, len(compiled(_LINE_TAIL, re.DOTALL).sub("", line)))


def _may_be_torn(text: str) -> bool:
    """Whether `_TORN` matches; the signs it needs are looked for first, which is much faster."""
    return _BRACE_AND_DIGIT.search(text) is not None and compiled(_TORN).search(text) is not None


class Lexer:
    """Words of one text, in order.

    Iterating yields ``Token``s; punctuation is an unquoted token ``;``, ``{`` or ``}``.
    ``comments`` and ``problems`` fill up on the way. ``position`` may be moved by the reader of the
    tokens, to skip a body with a grammar of its own. ``torn`` says that the text may hold what only
    `_TOLERANT` keeps whole. ``text`` is what a template says, where the source is one.
    """

    def __init__(self, source: SourceText, problems: list[Problem]) -> None:
        self.source = source
        self.text = source.text if source.template is None else source.template.text
        self.position = 0
        self.comments: list[Comment] = []
        self.problems = problems
        self.torn = _may_be_torn(self.text)
        if source.text.startswith("\ufeff"):
            self.position = 1
            self._report(
                "invalid-encoding",
                "the file begins with a byte order mark, which nginx takes as part of the first word",
                0,
                1,
                "Save the file as UTF-8 without BOM.",
            )

    def __iter__(self) -> Iterator[Token]:
        # The hottest loop of the program: Token.make is spelled out, and the position is only
        # kept where the reader may want to move it.
        text, new = self.text, str.__new__
        long_word = BUFFER_BYTES // 4  # in code points: below it no encoding reaches the limit
        special = self.torn or self.source.template is not None
        pattern = self._pattern
        while self.position < len(text):
            for found in pattern.finditer(text, self.position):
                kind = found.lastindex
                if kind == 3:
                    self.comment(*found.span())
                    continue
                value = found[0]
                start, end = found.span()
                if special and (token := self._special(kind, start, end)) is not None:
                    yield token
                    continue
                if kind == 4:
                    value = value[1:-1]
                elif kind == 6:
                    yield self._broken_string(start)
                    break
                if len(value) >= long_word:
                    self._check_length(value, start, end, quoted=kind == 4)
                if "\\" in value:
                    value = unescape(value)
                if kind == 4 or end - start != len(value):
                    token = _make(value, start, end, kind == 4)
                else:
                    token = new(Token, value)
                    token.start = start
                if kind == 2:
                    self.position = end
                    yield token
                    if self.position != end:
                        break
                else:
                    yield token
            else:
                return

    def skip_block(self) -> bool:
        """Go behind the brace that closes the block that is open here; False where the text ends before."""
        depth = 1
        for found in self._pattern.finditer(self.text, self.position):
            if found.lastindex == 2 and found[0] != ";":
                depth += 1 if found[0] == "{" else -1
                if depth == 0:
                    self.position = found.end()
                    return True
        self.position = len(self.text)
        return False

    @property
    def _pattern(self) -> re.Pattern[str]:
        return compiled(_TOLERANT, re.VERBOSE | re.DOTALL) if self.torn else _TOKEN

    def _special(self, kind: int | None, start: int, end: int) -> Token | None:
        """A word of a template that is not known: it reads as it is written there. None for all others."""
        word = self.text[start:end]
        if kind == 5 and self.torn:
            self._check_braces(word, start, end)
        if kind == 6 or FILLER not in word:
            return None
        quoted = kind == 4
        return Token.make_filled(self.source.text[start + quoted : end - quoted], start, end, quoted)

    def _check_braces(self, word: str, start: int, end: int) -> None:
        """Report what nginx would tear apart."""
        quantifier = compiled(_WHOLE).search(word)
        if quantifier is not None:
            self._report(
                "regex-unquoted-brace",
                f"unquoted {quantifier[0]} in {word}: nginx reads the {{ as the start of a block",
                start,
                end,
                f'Put the regex in quotes: "{word}"',
            )

    def comment(self, start: int, end: int) -> None:
        """Remember the comment at ``start``..``end``."""
        text = self.text
        if end - start >= BUFFER_BYTES // 4:
            self._check_comment(start, end)
        line_start = text.rfind("\n", 0, start) + 1
        own_line = not text[line_start:start].strip(" \t\r\ufeff")
        self.comments.append(Comment(self.source, start, end, text[start + 1 : end].rstrip("\r"), own_line))

    def _broken_string(self, start: int) -> Token:
        """A string that is never closed, or that is followed by what may not follow it."""
        found = compiled(_STRING_END[self.text[start]], re.DOTALL).match(self.text, start + 1)
        if found is None or "\n" in found[0]:
            return self._unclosed(start)
        end = found.end()
        self._unexpected_after_string(start, end, self.text[end])
        self.position = end
        raw = self.text[start + 1 : end - 1]
        return _make(unescape(raw), start, end, True)

    def _unexpected_after_string(self, start: int, end: int, follower: str) -> None:
        self._report(
            "unexpected-token",
            f"unexpected {follower!r} after the closing quote",
            end,
            end + 1,
            "Put the whole word in quotes, or a space after the quote.",
        )

    def _unclosed(self, start: int) -> Token:
        """Take the string to end with its line, before what ends the directive there."""
        text = self.text
        self.position = end = end_of_unclosed(text, start)
        self._report(
            "unclosed-quote",
            f"the string that starts with {text[start]} is never closed",
            start,
            start + 1,
            f"Close it with {text[start]} on this line, or escape the quote if it is meant literally.",
            analysed=False,
        )
        return _make(unescape(text[start + 1 : end]), start, end, True)

    def _check_length(self, raw: str, start: int, end: int, *, quoted: bool) -> None:
        # The opening quote has left nginx's buffer. The closing one needs a place in it, and so does what
        # comes behind the word; a blank there ends the word without freeing the buffer.
        size = len(raw.encode("utf-8", "surrogateescape"))
        most = BUFFER_BYTES - 1 - quoted - (self.text[end : end + 1] in _BLANKS)
        if size > most:
            self._report(
                "unexpected-token",
                f"a word of {size} bytes is longer than nginx can read ({most} bytes)",
                start,
                end,
                "Split the value, or look for a quote or semicolon that is missing before it.",
            )

    def _check_comment(self, start: int, end: int) -> None:
        size = len(self.text[start:end].encode("utf-8", "surrogateescape"))
        most = BUFFER_BYTES - (end < len(self.text))  # at the end of the file no line end needs a place
        if size > most:
            self._report(
                "unexpected-token",
                f"a comment of {size} bytes is longer than nginx can read ({most} bytes)",
                start,
                end,
                "Break it into several lines.",
            )

    def _report(
        self, kind: str, message: str, start: int, end: int, remedy: str, *, analysed: bool = True
    ) -> None:
        self.problems.append(Problem(kind, message, self.source, start, end, help=remedy, analysed=analysed))
