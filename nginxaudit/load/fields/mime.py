"""MIME types that are given twice: nginx warns, and one of them has no effect."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.hit import Edits, FixIn
from nginxaudit.load.base import Mistake, Use, reads
from nginxaudit.load.forms import blocks_among_data
from nginxaudit.syntax.tree import Directive, Token

_DEFAULT = {
    "gzip_types": "text/html",
    "sub_filter_types": "text/html",
    "ssi_types": "text/html",
}
_RULE = "duplicate-mime-type"


@reads(
    "gzip_types",
    "sub_filter_types",
    "ssi_types",
    "charset_types",
    "addition_types",
    "xslt_types",
    "brotli_types",
)
def lists_of_types(use: Use) -> Iterator[Mistake]:
    """``gzip_types type …``: each type once, and not the one that is always in it."""
    seen: set[str] = set()
    for token in use.args:
        kind = token.lower()
        if kind in seen:
            yield _twice(token, f'"{token}" is listed twice', partial(_unlisted, token))
        elif kind == _DEFAULT.get(use.name):
            message = f'"{token}" is always among the "{use.name}"'
            yield _twice(token, message, partial(_unlisted, token), remedy="Delete it.")
        seen.add(kind)


def _unlisted(token: Token, node: Directive) -> Edits:
    """The type deleted from the list, or the line where no other one is in it."""
    if {each.lower() for each in node.args} - {_DEFAULT.get(node.name)}:
        return (edits.without(node, token),)
    outer = any(block.first(node.name) for block in list(node.ancestors())[1:])
    return None if outer or not edits.on_one_line(node) else (edits.deleted(node),)


reads("types", family="http stream")(blocks_among_data)


@reads("types")
def extensions(use: Use) -> Iterator[Mistake]:
    """``types { type extension … }``: each extension once; the last line wins."""
    first: dict[str, Directive] = {}
    last: dict[str, Directive] = {}
    for line in use.node.children:
        words = line.args if line.name != "include" else []
        for token in words:
            earlier = first.setdefault(token.lower(), line)
            if earlier is not line:
                yield _twice(
                    token,
                    f'duplicate extension "{token}": "{line.name}" replaces "{earlier.name}"',
                    partial(_without_effect, last[token.lower()], token, last),
                    line,
                    (("first here", earlier),),
                )
        last.update((token.lower(), line) for token in words)


def _without_effect(losing: Directive, token: Token, last: dict[str, Directive], node: Directive) -> Edits:
    """The extension deleted from the line before ``node`` that has it, for the last one wins.

    ``last`` tells for each extension which line wins: one that wins nothing is deleted.
    """
    if losing.source is not node.source:
        return None
    if all(last[each.lower()] is not losing for each in losing.args):
        return (edits.deleted(losing),) if edits.on_one_line(losing) else None
    return tuple(edits.without(losing, each) for each in losing.args if each.lower() == token.lower())


def _twice(
    token: Token,
    message: str,
    make_fix: FixIn,
    node: Directive | None = None,
    related: tuple[tuple[str, Directive], ...] = (),
    remedy: str = "Delete one of them.",
) -> Mistake:
    return Mistake(
        _RULE,
        message,
        token,
        remedy,
        node,
        related,
        rejected=False,
        make_fix=make_fix,
    )
