"""In which context a file without ``events`` and ``http`` may stand: what its directives allow."""

from __future__ import annotations

from functools import lru_cache

from nginxaudit.nginx import PSEUDO_CONTEXTS, directives, inner_context
from nginxaudit.nginx.names import FAMILIES
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Comment, Statement

_MAIN_BLOCKS = frozenset({"events", *FAMILIES})
_DECLARED = r"\s*nginxaudit:\s*context=([\w,-]*)"
_CANDIDATES = (
    "main",
    "http",
    "server",
    "location",
    "upstream",
    "stream",
    "stream-server",
    "stream-upstream",
    "mail",
    "mail-server",
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


def infer_contexts(statements: list[Statement]) -> list[str]:
    """All contexts in which the statements fit best; ``["main"]`` for a main configuration.

    Directives that nobody knows do not count. A file without any known directive may stand
    anywhere: the answer is then ``["main"]``.
    """
    if is_main(statements):
        return ["main"]
    scores = {context: _score(statements, context) for context in _CANDIDATES}
    best = max(scores.values())
    if best == 0:
        return ["main"]
    fitting = [context for context, score in scores.items() if score == best]
    # `upstream` means the same in http and stream, and what is allowed at the top is meant there.
    return ["main"] if "main" in fitting else fitting


def _score(statements: list[Statement], context: str, depth: int = 0) -> int:
    """How many of the statements nginx allows here, top level and two levels below."""
    score = 0
    for statement in statements:
        if _allowed(statement.name, context):
            score += 1
            if statement.block and depth < 3:
                inner = inner_context(context, statement.name)
                if inner not in PSEUDO_CONTEXTS:
                    score += _score(statement.block, inner, depth + 1)
    return score


@lru_cache(maxsize=8192)
def _allowed(name: str, context: str) -> bool:
    return any(context in fact.contexts for fact in directives(name))
