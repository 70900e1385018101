"""Requests that a redirect sends to another site, for ``open-redirect``."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.finding import Witness
from nginxaudit.model import Model
from nginxaudit.pcre import parse
from nginxaudit.request.records import Outcome
from nginxaudit.request.showing import ask_of, shows
from nginxaudit.syntax.tree import Directive

_SITE = "evil.example"
_TAILS = (f".{_SITE}", _SITE, f".{_SITE}/", f"{_SITE}/", f".{_SITE}/x", f"{_SITE}/x.html")


def lured(model: Model, node: Directive) -> Witness | None:
    """A request that ``node`` redirects to another site; None where none was found."""
    server = model.server_of(node)
    if server is None:
        return None
    asks = [ask_of(server, path) for path in dict.fromkeys(_paths(model, node))]
    return shows(model, server, asks, _leads_away)


def _paths(model: Model, node: Directive) -> Iterator[str]:
    for beginning in _beginnings(model, node):
        for tail in _TAILS:
            yield beginning + tail


def _beginnings(model: Model, node: Directive) -> Iterator[str]:
    """With what paths begin that reach a redirect."""
    location = model.location_of(node)
    if node.name == "rewrite":
        expression = parse(str(node.args[0]))
        if expression is not None and expression.prefix:
            yield expression.prefix
    if location is not None and location.expression is not None and location.expression.prefix:
        yield location.expression.prefix
    if location is not None and location.is_prefix:
        yield location.pattern
    yield "/"


def _leads_away(outcome: Outcome) -> bool:
    target = outcome.redirect
    if target is None or "://" not in target:
        return False
    host = target.partition("://")[2]
    for end in "/?#":
        host = host.partition(end)[0]
    return host == _SITE or host.endswith(f".{_SITE}")
