"""Redirects that could be written more simply."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.routing.redirects import URL, as_return
from nginxaudit.hit import CheckContext, Edits, Hit, whole
from nginxaudit.nginx.names import ABSOLUTE
from nginxaudit.syntax.tree import Directive

_EVERYTHING = ("^", ".*", "^.*", "^.*$", "^(.*)", "^(.*)$", "(.*)", "^/(.*)$", "^/(.*)")


def rewrite_instead_of_return(ctx: CheckContext) -> Iterable[Hit]:
    """An expression that matches everything, to redirect everything."""
    for node in ctx.model.config.named("rewrite"):
        if len(node.args) < 2 or node.parent is None or node.parent.inner not in ("server", "location"):
            continue
        pattern, target, *flags = (str(token) for token in node.args)
        absolute = target.lower().startswith(ABSOLUTE)
        if (
            pattern not in _EVERYTHING
            or not absolute
            or (flags and flags[0] not in ("redirect", "permanent"))
        ):
            continue
        url = as_return(pattern, target)
        if url is not None:
            code = "301" if flags == ["permanent"] else "302"
            yield Hit(
                whole(node),
                "this rewrite redirects every request, as return does",
                node,
                help=f"Write return {code} {url};",
                make_fix=partial(_return, node, url, code),
            )


def _return(node: Directive, url: str, code: str) -> Edits:
    """``return`` with the same target.

    A rewrite decodes the path that it sends, ``/a%2Fb`` becomes ``/a/b``; return leaves it alone. And ``(.*)$`` does
    not take the path with a newline that return takes.
    """
    token = node.args[1]
    raw = edits.written(node, token)
    if "\\" in raw or not edits.on_one_line(node):
        return None
    quote = raw[0] if token.quoted else ""
    return (edits.rewritten(node, f"return {code} {quote}{url}{quote}"),)


def redirect_uses_302(ctx: CheckContext) -> Iterable[Hit]:
    """A canonical redirect that is told as a temporary one; asked for only."""
    for node, url in _temporary(ctx):
        found = re.match(URL, url)
        if found is not None and (found[4] or "").startswith(("$request_uri", "$uri", "/$1", "$1")):
            yield Hit(
                whole(node),
                "temporary redirect (302) for every path",
                node,
                help="Use 301, or 308 to keep the method.",
            )


def _temporary(ctx: CheckContext) -> Iterator[tuple[Directive, str]]:
    for node in ctx.model.config.named("return"):
        if len(node.args) == 2 and node.args[0] in ("302", "303", "307"):
            yield node, str(node.args[1])
    for node in ctx.model.config.named("rewrite"):
        if len(node.args) == 3 and node.args[2] == "redirect":
            yield node, str(node.args[1])
