"""Texts with variables, and what the variables are.

A text is compiled and run as by src/http/ngx_http_script.c. Variables that nginx does not cache are computed anew, the
others keep the value of their first use (``ngx_http_get_flushed_variable`` in src/http/ngx_http_variables.c).
"""

from __future__ import annotations

import re
from functools import lru_cache

from nginxaudit.model.definitions import variable_name
from nginxaudit.request.flight import Flight, Unknown, Value
from nginxaudit.request.mapping import map_value
from nginxaudit.request.named import prefixed
from nginxaudit.request.uri import escape_args
from nginxaudit.syntax.tree import Directive

_REFERENCE = re.compile(r"\$(?:([1-9])|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")
_MAPPING = ("map", "geo", "split_clients", "num_map")
_SETTING = ("set", "auth_request_set", "location", "server_name", "rewrite", "if")
_OF_REQUEST = ("http_", "arg_", "cookie_")
_LONGEST = 65_536  # characters of a value: variables that double each other's have no end
_SHOWN = 500  # characters of a value that is only shown
_PRODUCT = 64


class Part(str):
    """A variable in a text, by its lower-case name; a number is a capture."""

    __slots__ = ()


@lru_cache(maxsize=8192)
def parts(text: str) -> tuple[str, ...]:
    """Literals and variables (`Part`) of a text, in order."""
    if "$" not in text:
        return (text,)
    found: list[str] = []
    at = 0
    for each in _REFERENCE.finditer(text):
        if each.start() > at:
            found.append(text[at : each.start()])
        found.append(Part(each[1] or (each[2] or each[3]).lower()))
        at = each.end()
    if at < len(text):
        found.append(text[at:])
    return tuple(found)


def value(flight: Flight, text: str, *, quote: bool = False) -> Value:
    """The value of a text; ``quote`` escapes captures, as in arguments and redirects."""
    if "$" not in text:
        return str(text)
    return joined(flight, parts(text), quote=quote)


def joined(flight: Flight, pieces: tuple[str, ...], *, quote: bool = False) -> Value:
    """The value of compiled pieces. Variables come first: what they match replaces the captures."""
    known = [variable(flight, each) if type(each) is Part and not each.isdigit() else each for each in pieces]
    values = [
        capture(flight, int(each), quote=quote) if type(each) is Part and each.isdigit() else each
        for each in known
    ]
    if any(isinstance(each, Unknown) for each in values):
        return _unknown(values)
    text = "".join(values)  # type: ignore[arg-type]
    return text if len(text) <= _LONGEST else Unknown(_cut(text), f"it is longer than {_LONGEST} characters")


def _unknown(values: list[Value]) -> Value:
    """A text of which something is not known."""
    if len(values) == 1:
        return values[0]
    missing = [each for each in values if isinstance(each, Unknown)]
    shown = "".join([each.shown if isinstance(each, Unknown) else each for each in values])
    candidates: tuple[str, ...] = ()
    if len(missing) == 1 and len(missing[0].candidates) <= _PRODUCT:
        at = values.index(missing[0])
        head, tail = "".join(values[:at]), "".join(values[at + 1 :])  # type: ignore[arg-type]
        candidates = tuple([f"{head}{each}{tail}" for each in missing[0].candidates])
    if any(len(each) > _LONGEST for each in candidates):
        candidates = ()
    return Unknown(_cut(shown), missing[0].reason, candidates)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def capture(flight: Flight, number: int, *, quote: bool = False) -> Value:
    """``$1`` to ``$9``: empty where the last expression that matched had no such group."""
    if number > len(flight.captures):
        return ""
    found = flight.captures[number - 1]
    if quote and isinstance(found, str) and (flight.quoted or flight.plus):
        return escape_args(found)
    return found


def variable(flight: Flight, name: str) -> Value:
    """The value of a variable by its lower-case name."""
    builtin = flight.builtin.get(name)
    if builtin is not None and not builtin.cached:
        return builtin.get(flight)
    if name in flight.values:
        return flight.values[name]
    if builtin is not None:
        found = flight.values[name] = builtin.get(flight)
        return found
    defined = flight.model.variables(flight.ask.family).defined.get(name)
    if defined is None:
        return prefixed(flight, name)
    if name in flight.computing:
        return Unknown(f"${name}", "it is defined by itself")
    flight.computing.add(name)
    try:
        found = _defined(flight, name, defined)
    finally:
        flight.computing.discard(name)
    return found


def _defined(flight: Flight, name: str, directives: list[Directive]) -> Value:
    """The value by the directive that defines a variable; empty before a ``set`` or a capture has given it one."""
    own = [node for node in directives if node.name not in _SETTING and not _captures(node, name)]
    if not own:
        # A request variable keeps what the request has until it is set (``ngx_http_rewrite_set``).
        of_request = name.startswith(_OF_REQUEST) and all(node.name == "set" for node in directives)
        return prefixed(flight, name) if of_request else ""
    last = own[-1]
    if last.name not in _MAPPING:
        return Unknown(f"${name}", f"{last.name} sets it", name=name)
    found = map_value(flight, last, name, value)
    if last.first("volatile") is None:
        flight.values[name] = found
    return found


def _captures(node: Directive, name: str) -> bool:
    """Whether only a group of an expression in the block has the name."""
    return node.name in _MAPPING and (not node.args or variable_name(node.args[-1]) != name)


def known(flight: Flight, text: str, node: Directive | None = None) -> str:
    """The value of a text that the way depends on."""
    return flight.pin(value(flight, text), node)


def shown(found: Value) -> str:
    """A value for people: unknown parts keep their names."""
    return found.shown if isinstance(found, Unknown) else found
