"""One file to a tree of statements: crossplane builds it from the words of our lexer.

crossplane's own lexer loses columns, quotes and comments and is slow. Its parser stores the word
objects it is given, so handing it words that know their place keeps every position. The parser
function is re-bound over a copy of its module's globals: crossplane stays as it is for anyone else
in the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import FunctionType
from typing import Any

from msgspec import Struct

from nginxaudit.source.limits import DEFAULTS, Limits
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.statements import Bounds, Piece, read_statements
from nginxaudit.syntax.tree import Comment, Problem, Statement
from nginxaudit.templates import Template

MAX_PROBLEMS = 200  # per file; past that it is no nginx configuration, or one mistake told over and over

_CHARACTERS = 500  # of a text, which are looked through in the time that one directive takes


class ParsedFile(Struct, frozen=True):
    """A parsed text: statements in order, its comments, what was wrong with it, and how many directives it has."""

    source: SourceText
    statements: list[Statement]
    comments: list[Comment]
    problems: list[Problem]
    count: int

    @property
    def weight(self) -> int:
        """What it costs to look at it in one more configuration, counted in directives."""
        text = len(self.source.text) // _CHARACTERS
        return 1 + self.count + len(self.comments) + len(self.problems) + text


def parse(source: SourceText, limits: Limits = DEFAULTS) -> ParsedFile:
    """Parse one text. Never raises for bad input: see ``problems``."""
    reader, payload = read_statements(source, _crossplane, limits)
    statements = _Builder(source, reader.bounds).build(payload)
    problems = _bounded(
        reader.problems if source.template is None else _sure(reader.problems, source.template)
    )
    return ParsedFile(source, statements, reader.comments, problems, len(reader.bounds.ends))


def _sure(problems: list[Problem], template: Template) -> list[Problem]:
    """Those of ``problems`` that are there however the template is filled in: nothing around them is."""
    text = template.text

    def is_sure(problem: Problem) -> bool:
        if problem.kind in _OF_LIMITS:
            return True
        start = text.rfind("\n", 0, text.rfind("\n", 0, problem.start) + 1) + 1
        end = text.find("\n", text.find("\n", problem.end) + 1)
        near = template.touches(start, end if end >= 0 else len(text))
        return problem.kind not in _OF_STRUCTURE and not near and template.branch(problem.start) is None

    return list(filter(is_sure, problems))


_OF_LIMITS = frozenset({"limit-exceeded", "invalid-encoding"})
_OF_STRUCTURE = frozenset({"unmatched-braces"})


def _bounded(problems: list[Problem]) -> list[Problem]:
    """The first `MAX_PROBLEMS` in the order of the text, and a word about the rest."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    problems = sorted(problems, key=lambda problem: problem.start)
    next_one = problems[MAX_PROBLEMS]
    rest = Problem(
        "limit-exceeded",
        f"the file has {len(problems):,} syntax errors; only the first {MAX_PROBLEMS} are shown",
        next_one.source,
        next_one.start,
        next_one.end,
        help="Fix the first ones; if this is not an nginx configuration, exclude it from the scan.",
        analysed=False,
    )
    return [*problems[:MAX_PROBLEMS], rest]


def _crossplane(pieces: Iterator[Piece]) -> list[dict[str, Any]]:
    """The statements of ``pieces`` as crossplane's nested dictionaries."""
    payload = _parser()(pieces, single=True, check_ctx=False, check_args=False, catch_errors=False)
    errors = payload["errors"]
    if errors:  # our stream is well-formed: an error here is ours, and must not pass as an empty file
        raise RuntimeError(f"crossplane could not build the tree: {errors[0]['error']}")
    # crossplane's inner functions hold the payload, and each other: what is left in it would stay for ever.
    parsed: list[dict[str, Any]] = payload["config"].pop()["parsed"]
    return parsed


@cache
def _parser() -> Any:
    """Crossplane's ``parse`` with a lexer that hands on the words it is given as "file name"."""
    from crossplane import parser

    namespace = dict(vars(parser))
    namespace["lex"] = lambda pieces: pieces
    namespace["analyze"] = lambda **_: None  # the facts of nginxaudit.nginx decide, not a table of 2019
    namespace["_prepare_if_args"] = lambda statement: None  # keep the parentheses: nginx sees them
    namespace["os"] = _Paths
    original = parser.parse
    return FunctionType(
        original.__code__, namespace, original.__name__, original.__defaults__, original.__closure__
    )


class _Paths:
    """Stands in for ``os``: our "file name" is a stream and has no directory."""

    class path:  # noqa: N801
        @staticmethod
        def dirname(_: object) -> str:
            return ""


class _Builder:
    """crossplane's dictionaries to `Statement`s; both visit the statements in reading order."""

    def __init__(self, source: SourceText, bounds: Bounds) -> None:
        self._source = source
        self._bounds = bounds
        self._next = 0

    def build(self, parsed: list[dict[str, Any]]) -> list[Statement]:
        statements = []
        ends, closes, source = self._bounds.ends, self._bounds.closes, self._source
        for entry in parsed:
            index = self._next
            self._next = index + 1
            args = entry["args"]  # nothing, or `Words` taken for one word
            statement = Statement(
                entry["directive"],
                entry["line"],
                args[0] if args else args,
                source,
                ends[index],
                closes[index],
            )
            block = entry.get("block")
            if block is not None:
                statement.block = self.build(block)
            statements.append(statement)
        return statements
