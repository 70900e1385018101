"""Newlines kept out of headers: the fixes of ``http-splitting``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Edits
from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.model.taint import Origin
from nginxaudit.model.variables import references
from nginxaudit.pcre import Expression, parse
from nginxaudit.pcre.nodes import NEWLINE, Chars, walk
from nginxaudit.syntax.tree import Directive, Token

_PATHS = ("$uri", "$document_uri")
_DECODED = (
    r"(?i)\$(?:\{(?:uri|document_uri)\}|(?:uri|document_uri)(?!\w))"
    r"(?:(?:\$is_args|\$\{is_args\}|\?)(?:\$(?:args|query_string)|\$\{(?:args|query_string)\}))?"
    r"(?=[\"']?\Z)"
)
_OF_HOSTS = frozenset({"scheme", "host", "http_host", "server_name", "server_port"})


def without_newline(node: Directive, token: Token, model: Model) -> Fix | None:
    """The path as the client wrote it, or an expression that excludes newlines."""
    origins = [each for each in model.taint.origins(token, node) if each.newline]
    if all(each.via in _PATHS for each in origins):
        made, title = _undecoded(node, token, model), "Use $request_uri"
    else:
        made, title = _excluded(node, origins, model), "Exclude newlines in the regex"
    return Fix(title, Applicability.UNSAFE, made) if made else None


def _undecoded(node: Directive, token: Token, model: Model) -> Edits:
    """``$request_uri``, arguments included; not where a rewrite has made another path of it."""
    server = model.enclosing(node, "server")
    if node.name == "rewrite" or server is None or any(each.name == "rewrite" for each in server.walk()):
        return None
    raw = edits.written(node, token)
    found = re.search(_DECODED, raw)
    if found is None or "?" in raw[: found.start()]:
        return None
    if not {each.name for each in references(raw[: found.start()])} <= _OF_HOSTS:
        return None
    start, end = token.start + found.start(), token.start + found.end()
    return (edits.replaced(node.source, start, end, "$request_uri"),)


def _excluded(node: Directive, origins: Iterable[Origin], model: Model) -> Edits:
    """Line ends in the ``[^…]`` of the location whose groups are used."""
    location = model.location_of(node)
    if location is None or not location.is_regex or node.parent is not location.directive:
        return None
    expression = parse(location.pattern, caseless=location.modifier == "~*")
    if expression is None or any(child.name in ("rewrite", "if") for child in location.directive.children):
        return None
    made: dict[int, Edit] = {}
    for origin in origins:
        name = origin.via[1:]
        own = {each.lower(): number for each, number in expression.names.items()}
        group = expression.group(int(name) if name.isdigit() else own.get(name, -1))
        if group is None:
            return None
        for part in (each for each in walk(group) if isinstance(each, Chars) and each.chars & NEWLINE):
            edit = _without_newline(location, expression, part)
            if edit is None:
                return None
            made[edit.start] = edit
    return tuple(made[start] for start in sorted(made)) or None


def _without_newline(location: Location, expression: Expression, part: Chars) -> Edit | None:
    node, text = location.directive, expression.text[part.start : part.end]
    if not text.startswith("[^") or not text.endswith("]"):
        return None
    at = edits.written_at(node, node.args[-1], location.pattern, part.end - 1)
    return edits.replaced(node.source, at, at, r"\r\n") if at is not None else None
