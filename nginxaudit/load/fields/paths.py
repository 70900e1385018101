"""Directories that nginx manages: caches and temporary files. Two uses of one path must agree."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.load.base import INVALID, Mistake, Use
from nginxaudit.syntax.tree import Directive, Token


def claim(use: Use, token: Token, levels: list[int]) -> Iterator[Mistake]:
    """Remember the directory ``token``; a cache shares it with nobody (``ngx_add_path`` in src/core/ngx_file.c).

    A slash at its end makes another path of it.
    """
    path = str(token)
    earlier = use.load.first(use.node, "path", path)
    if earlier is None:
        return
    if _is_cache(use.node) or _is_cache(earlier):
        problem, remedy = f'the path "{path}" is used twice', "Give every cache a different directory."
    elif _levels(earlier) != levels:
        problem = f'the path "{path}" is used twice, with other levels of directories'
        remedy = "Give both the same levels, or each a different directory."
    else:
        return
    yield Mistake(INVALID, problem, token, remedy, related=(("used here", earlier),))


def _is_cache(node: Directive) -> bool:
    return node.name.endswith("_cache_path")


def _levels(node: Directive) -> list[int]:
    return [int(token) for token in node.args[1:] if token.isdigit()]
