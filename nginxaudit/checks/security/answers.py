"""Requests that a directive answers, for findings about what is answered too early."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.finding import Witness
from nginxaudit.model import Model
from nginxaudit.model.expressions import condition
from nginxaudit.pcre.sample import sample
from nginxaudit.request.candidates import path_of
from nginxaudit.request.records import Ask
from nginxaudit.request.showing import ask_of, encoded, gives, witness
from nginxaudit.request.walk import trace
from nginxaudit.syntax.tree import Directive

MOST_SHOWN = 50
"""Findings of a rule that get a witness where there may be thousands: a walk costs more than the rest of the check."""
_METHODS = ("POST", "PUT", "DELETE", "OPTIONS")


def answered(model: Model, node: Directive) -> tuple[Witness | None, bool]:
    """A request of an unauthenticated client that is served because of ``node``, and whether any could be tried."""
    asked = False
    for ask in _asks(model, node):
        asked = True
        found = trace(model, ask)
        if any(step.node is node for step in found.steps) and any(map(gives, found.outcomes)):
            return witness(ask), True
    return None, asked


def served(
    model: Model, block: Directive, path: str | None = None, *, six: bool = False
) -> tuple[Witness | None, bool]:
    """A request of an unauthenticated client that gets something in ``block``, and whether any could be tried. ``six``: over IPv6."""
    server, location = model.server_of(block), model.location_of(block)
    path = path or ("/" if location is None else path_of(location))
    ask = ask_of(server, encoded(path), six=six) if server is not None and path is not None else None
    if ask is None or block.inner not in ("server", "location"):
        return None, False
    ends = [each for each in trace(model, ask, explain=False).outcomes if gives(each)]
    there = any(location is None or each.location is location.directive for each in ends)
    return (witness(ask) if there else None), True


def _asks(model: Model, node: Directive) -> Iterator[Ask]:
    """Requests that get to the block of a directive, and for which the ``if`` around it may hold."""
    server, location = model.server_of(node), model.location_of(node)
    path = "/" if location is None else path_of(location)
    if server is None or path is None:
        return
    for target, headers, method in _variants(node.parent, encoded(path)):
        ask = ask_of(server, target, method=method, headers=headers)
        if ask is not None:
            yield ask


def _variants(block: Directive | None, path: str) -> Iterator[tuple[str, tuple[tuple[str, str], ...], str]]:
    """Target, headers and method: plain ones, then what the condition of an ``if`` asks for."""
    yield path, (), "GET"
    wanted = condition(block) if block is not None and block.name == "if" else None
    if wanted is None:
        return
    kind, _, name = wanted.left.strip("${}").lower().partition("_")
    if wanted.left.lower() == "$request_method":
        yield from ((path, (), method) for method in _METHODS)
        return
    value = (sample(wanted.right) if wanted.is_match else str(wanted.right)) if wanted.operator else "1"
    if kind == "arg":
        yield f"{path}?{name}={encoded(value)}", (), "GET"
    elif kind == "cookie":
        yield path, (("Cookie", f"{name}={value}"),), "GET"
    elif kind == "http" and value.isprintable():
        yield path, (("-".join(map(str.capitalize, name.split("_"))), value),), "GET"
