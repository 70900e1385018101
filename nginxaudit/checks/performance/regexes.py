"""Regular expressions that a plain comparison could replace."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.routing.regexes import of_kind
from nginxaudit.finding import Applicability, Fix
from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.model import Model
from nginxaudit.model.access import access_of, keeps_out
from nginxaudit.model.location import Location
from nginxaudit.model.variables import references
from nginxaudit.pcre import parse
from nginxaudit.syntax.tree import Directive

_PLAIN_PATH = r"/[A-Za-z0-9/_.~-]*"


def regex_could_be_exact(ctx: CheckContext) -> Iterable[Hit]:
    """A location whose expression matches one path: ``=`` says that, and costs nothing."""
    for written in of_kind(ctx, "location"):
        expression = written.expression
        path = expression.literal if expression is not None and not written.caseless else None
        if path is None or not path.startswith("/") or (expression and expression.groups):
            continue
        yield Hit(
            arg(written.directive, written.token),
            f"the regex matches only {path}: an exact location is faster",
            written.directive,
            help=f"Write location = {path} instead; it is checked before all regex locations.",
            make_fix=partial(_exact, written.directive, ctx.model),
        )


def _exact(node: Directive, model: Model) -> Fix | None:
    """``location = /path``, where it answers what the expression answered.

    A ``$`` lets a newline pass that ``=`` does not: where the location keeps somebody out, ``=`` would let him in. An
    expression without groups empties the captures of the server name, which ``=`` leaves.
    """
    places = [each for each in model.locations if each.directive.statement is node.statement]
    if (
        not places
        or any(each.children for each in places)
        or _reads_captures(node)
        or keeps_out(node)
        or access_of(model, node).has_any
    ):
        return None
    expression = parse(places[0].pattern)
    path = expression.literal if expression is not None else None
    between = node.source.text[node.start : node.args[-1].end]
    if path is None or re.fullmatch(_PLAIN_PATH, path) is None or "\n" in between:
        return None
    if any(_is_surely_passed_over(each, path, model) for each in places):
        return None
    made = edits.rewritten(node, f"location = {path}")
    return Fix(f"Write location = {path}", Applicability.UNSAFE, (made,))


def _is_surely_passed_over(location: Location, path: str, model: Model) -> bool:
    """Whether another location gets the path now, which this one would take from it."""
    server = location.server
    if server is None or model.unknown_inside(server.directive):
        return False
    found = server.match(path)
    return found.certain and found.location is not location


def _reads_captures(block: Directive) -> bool:
    return any(
        reference.name.isdigit()
        for node in block.walk()
        for token in (node.name, *node.args)
        for reference in references(token)
    )
