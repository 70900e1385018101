"""Where a ``;`` was forgotten: a directive's name that became an argument of the line before."""

from __future__ import annotations

from functools import lru_cache

from nginxaudit.nginx import DirectiveFact, directives
from nginxaudit.syntax.lines import is_first
from nginxaudit.syntax.tree import Token

_OWN_GRAMMAR = frozenset({"listen", "server", "resolver", "proxy_cache_path", "limit_req", "limit_req_zone"})
"""Directives that take any number of parameters, none of which is called like a directive."""


def split_point(text: str, words: list[Token], first: int, *, opens_block: bool) -> int | None:
    """Index of the next word behind ``first`` that begins a directive of its own, or None.

    Only when the words from ``first`` on can be no directive of nginx as they stand, while both
    parts could be, in one and the same context. ``opens_block`` says that the words are followed
    by ``{``.
    """
    count = len(words) - first - 1
    if _possible(words[first], count, opens_block) and words[first] not in _OWN_GRAMMAR:
        return None
    for index in range(first + 1, len(words)):
        word = words[index]
        if word.quoted or not directives(word) or not is_first(text, word.start):
            continue
        if _fit_together(words, first, index, opens_block):
            return index
    return None


def _fit_together(words: list[Token], first: int, index: int, opens_block: bool) -> bool:
    before = _possible(words[first], index - first - 1, False)
    after = _possible(words[index], len(words) - index - 1, opens_block)
    if not after and not opens_block:
        # The rest may itself lack a semicolon: then its first part must fit, wherever it ends.
        after = tuple(fact for fact in directives(words[index]) if not fact.block)
    return any(one.contexts & other.contexts for one in before for other in after)


@lru_cache(maxsize=4096)
def _possible(name: str, count: int, block: bool) -> tuple[DirectiveFact, ...]:
    return tuple(fact for fact in directives(name) if fact.block == block and fact.arguments().accepts(count))
