"""In which context a file without ``events`` and ``http`` may stand: what its directives allow."""

from __future__ import annotations

from functools import lru_cache

from nginxaudit.nginx import PSEUDO_CONTEXTS, context_family, directives, inner_context
from nginxaudit.nginx.names import FAMILIES, UPSTREAM_CONTEXTS
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Comment, Statement

_MAIN_BLOCKS = frozenset({"events", *FAMILIES})
_DECLARED = r"\s*nginxaudit:\s*context=([\w,-]*)"
_PARTS = frozenset({*FAMILIES, "include"})
_ANSWER = r"\d|https?://|\$scheme"  # what http returns without a text; of stream it is the text
_STREAM_PATH = (
    r"(?i)(?:\A|[/._-])(?:streams?|tcp|udp)"
    r"(?:[._-][^/]*|(?:[._-](?:conf|conf\.d|d|enabled|available))?/[^/]*)?\Z"
)
# Of those that allow as much the first one is meant: a server takes nearly all that http takes for all servers.
_CANDIDATES = (
    "main",
    "server",
    "http",
    "location",
    "upstream",
    "stream-server",
    "stream",
    "stream-upstream",
    "mail-server",
    "mail",
    "events",
)


def context_of_path(path: str) -> str:
    """Context at the end of a path of blocks such as ``http,server``; ``main`` when empty.

    Raises `ValueError` for a path that nginx does not have.
    """
    context = "main"
    for name in (word.strip() for word in path.split(",")):
        if name in ("", "main"):
            continue
        inner = inner_context(context, name)
        if inner == "unknown":
            raise ValueError(f'there is no block "{name}" in context {context}')
        context = inner
    return context


def declared_context(comments: list[Comment]) -> str | None:
    """Path of contexts in a ``# nginxaudit: context=http,server`` comment, or None; one that is wrong does not count."""
    for comment in comments:
        if "context=" in comment.text:
            found = compiled(_DECLARED).match(comment.text)
            if found and flaw_of_declaration(comment) is None:
                return found[1]
    return None


def flaw_of_declaration(comment: Comment) -> str | None:
    """What is wrong with the path of a ``# nginxaudit: context=…`` comment; None for all others."""
    found = compiled(_DECLARED).match(comment.text)
    if found:
        try:
            context_of_path(found[1])
        except ValueError as error:
            return str(error)
    return None


def is_main(statements: list[Statement]) -> bool:
    """Whether the statements are a main configuration: one of nginx's main blocks is among them."""
    return any(statement.name in _MAIN_BLOCKS and statement.block is not None for statement in statements)


def is_lone(statements: list[Statement]) -> bool:
    """Whether a main configuration is a part of one: there is only ``http``, ``stream`` or ``mail``, and no ``events``."""
    return is_main(statements) and all(each.name in _PARTS for each in statements)


def infer_context(statements: list[Statement], path: str = "") -> str:
    """The most likely context of the statements: the one that allows most of them.

    ``main`` for a main configuration, and where nothing is known: directives that nobody knows do not count. Where
    several contexts allow as many, the file called ``path`` is a part of ``stream`` if it says so in its name.
    """
    if is_main(statements):
        return "main"
    scores = {context: _score(statements, context) for context in _CANDIDATES}
    best = max(scores.values())
    if best == 0:
        return "main"
    fitting = [context for context, score in scores.items() if score == best]
    if fitting[0] != "main" and compiled(_STREAM_PATH).search(path):
        fitting.sort(key=lambda context: context_family(context) != "stream")
    return fitting[0]


def _score(statements: list[Statement], context: str, depth: int = 0) -> int:
    """How many of the statements nginx allows here, top level and two levels below."""
    score = 0
    for statement in statements:
        if _allowed(statement.name, context) and _says_nothing_else(statement, context):
            score += 1
            if statement.block and depth < 3:
                inner = inner_context(context, statement.name)
                if inner not in PSEUDO_CONTEXTS:
                    score += _score(statement.block, inner, depth + 1)
    return score


@lru_cache(maxsize=8192)
def _allowed(name: str, context: str) -> bool:
    return any(context in fact.contexts for fact in directives(name))


def _says_nothing_else(statement: Statement, context: str) -> bool:
    """Whether the arguments fit: names that http and stream share take others in each."""
    if statement.name == "server":
        return (statement.block is None) is (context in UPSTREAM_CONTEXTS)
    if statement.name == "proxy_pass" and statement.args and not statement.args[0].startswith("$"):
        return ("://" in statement.args[0]) is (context_family(context) == "http")
    if statement.name == "listen":
        return context != "server" or "udp" not in statement.args
    if statement.name == "least_time":
        return context != "upstream" or statement.args[:1] not in (["connect"], ["first_byte"])
    if statement.name == "return" and len(statement.args) == 1:
        return context == "stream-server" or compiled(_ANSWER).match(statement.args[0]) is not None
    return True
