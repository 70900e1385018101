"""Repairs of servers and locations: which requests get where."""

from __future__ import annotations

import re

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.expressions import condition
from nginxaudit.model.listen import Listen
from nginxaudit.model.location import Location
from nginxaudit.model.scope import PASS_DIRECTIVES
from nginxaudit.model.server import Server
from nginxaudit.pcre import parse
from nginxaudit.pcre.nodes import Choice
from nginxaudit.syntax.tree import Directive, Token

Edits = tuple[Edit, ...] | None

DIRECTORY = re.compile(r"(?:.*/)?[^/.]*[A-Za-z0-9]", re.DOTALL)
"""A path whose last name looks like a directory: no dot in it, and nothing at its end that waits for more."""

_CHOOSING = frozenset({"rewrite", "try_files", "if", "location", "set", *PASS_DIRECTIVES})


def _inner_end(token: Token) -> int:
    """Where the text of a word ends, before its closing quote."""
    return token.end - 1 if token.quoted else token.end


def _inner_start(token: Token) -> int:
    return token.start + 1 if token.quoted else token.start


def prefixed(node: Directive, token: Token, text: str) -> Edit:
    """Put ``text`` at the beginning of a word, inside its quotes."""
    at = _inner_start(token)
    return edits.replaced(node.source, at, at, text)


def suffixed(node: Directive, token: Token, text: str) -> Edit:
    """Put ``text`` at the end of a word, inside its quotes."""
    at = _inner_end(token)
    if text.endswith("$") and node.source.text[at : at + 1] == "{":
        text += " "  # "${" would begin the name of a variable
    return edits.replaced(node.source, at, at, text)


# -- servers


def mark_default(hit: Hit, model: Model) -> Edits:
    """``default_server`` for the server that answers now, on all its sockets that the finding is about.

    Where another server is the default one of a socket that they share, too, that one may be meant.
    """
    server = model.server_of(hit.node) if hit.node is not None else None
    if server is None or model.unread_files(server.family):
        return None
    sockets = model.sockets(server.family)
    found = next((each for each in server.listens if _stands_at(each, hit)), None)
    if found is None:
        return None
    members = sockets[found.key].servers
    shared = [each for each in server.listens if sockets[each.key].servers == members]
    marked = [sockets[each.key].explicit_default for each in shared]
    if any(each is not None and each[0] is not server for each in marked):
        return None
    lines = {
        each.directive.statement: each.directive
        for each, default in zip(shared, marked, strict=True)
        if default is None and each.directive is not None
    }
    if not all(_is_free(node, server, model) for node in lines.values()):
        return None
    return tuple(edits.appended(node, "default_server") for node in lines.values())


def _stands_at(listen: Listen, hit: Hit) -> bool:
    node = listen.directive
    return node is not None and node.source is hit.place.source and node.start == hit.place.start


def _is_free(node: Directive, server: Server, model: Model) -> bool:
    """Whether no socket of a line, which may have a range of ports, has a default server, and no other server has the line."""
    sockets = model.sockets(server.family)
    ranged = [each for each in server.listens if each.directive is node]
    return len(model.copies(node)) == 1 and all(sockets[each.key].explicit_default is None for each in ranged)


# -- expressions


def write_expression(hit: Hit, model: Model) -> Edits:
    """The modifier for an expression; a location stays tied to the ends of the path that it was tied to."""
    node = hit.node
    if node is None:
        return None
    if node.name == "if":
        return _compare_by_expression(node)
    location = model.location_of(node)
    if location is None or location.directive is not node or not _may_be_expression(location, model):
        return None
    token = node.args[-1]
    start = "^" if location.pattern.startswith("/") else ""
    end = "$" if location.is_exact and not location.pattern.endswith("$") else ""
    text = edits.written(node, token)
    at = _inner_start(token) - token.start
    body = f"{text[:at]}{start}{text[at:]}"
    closing = len(body) - (token.end - _inner_end(token))
    body = f"{body[:closing]}{end}{body[closing:]}"
    gap = " " if end and not token.quoted and node.source.text[token.end : token.end + 1] == "{" else ""
    first = node.args[0].start
    return (edits.replaced(node.source, first, token.end, f"~ {body}{gap}"),)


def _may_be_expression(location: Location, model: Model) -> bool:
    """Whether nginx would load the location with ``~``: some things are refused there, others would mean nothing."""
    node = location.directive
    glued = len(node.args) == 1 and location.modifier != ""
    expression = parse(location.pattern, caseless=False)
    if glued or expression is None or isinstance(expression.root, Choice) or location.children:
        return False
    if "\n" in node.source.text[node.args[0].start : node.args[-1].end] or node.first("alias"):
        return False
    return all(each.path is None or each.runtime for each in model.passes_in(node))


def _compare_by_expression(node: Directive) -> Edits:
    asked = condition(node)
    token = next((each for each in node.args if each in ("=", "!=") and not each.quoted), None)
    if asked is None or token is None or parse(asked.right, caseless=False) is None:
        return None
    return (edits.exchanged(node, token, token.replace("=", "~")),)


def tie_to_end(hit: Hit, model: Model) -> Edits:
    """The end of the path behind the expression, or a slash where the location looks for what follows the file."""
    node = hit.node
    location = model.location_of(node) if node is not None else None
    if node is None or location is None or location.directive is not node:
        return None
    expression = parse(location.pattern, caseless=location.modifier == "~*")
    token = node.args[-1]
    if expression is None or (isinstance(expression.root, Choice) and len(node.args) < 2):
        return None
    end = "(/|$)" if model.effective(node, "fastcgi_split_path_info") else "$"
    if isinstance(expression.root, Choice):
        return (prefixed(node, token, "(?:"), suffixed(node, token, f"){end}"))
    return (suffixed(node, token, end),)


def mark_key(hit: Hit, model: Model) -> Edits:
    """``~`` before the key of a map, if it is an expression that nginx can read."""
    node = hit.node
    if node is None or parse(str(node.name), caseless=False) is None:
        return None
    return (prefixed(node, node.word, "~"),)


def add_listen(hit: Hit, model: Model) -> Edits:
    """The port that the server has when nginx is started as root, written down; http only."""
    node = hit.node
    if node is None or model.family_of(node) != "http":
        return None
    return (edits.first_in(node, "listen 80;"),)


def add_scheme(hit: Hit, model: Model) -> Edits:
    """``https://`` before the host of a redirect, ``$scheme:`` before one that begins with slashes."""
    node = hit.node
    token = (
        next((each for each in node.args if each.start == hit.place.start), None)
        if node is not None
        else None
    )
    if node is None or token is None:
        return None
    return (prefixed(node, token, "$scheme:" if token.startswith("//") else "https://"),)


def end_alias(hit: Hit, model: Model) -> Fix | None:
    """The slash of the location behind its alias.

    Safe where the path looks like a directory and nothing in the location looks at paths itself: without the
    slash no file is found there. A name that ends with a sign may be meant to be continued.
    """
    node = hit.node
    if node is None or node.parent is None or model.is_filled_in(node):
        return None
    token = node.args[0]
    if not token[-1:].isalnum():
        return None
    plain = DIRECTORY.fullmatch(token) is not None
    quiet = not any(child.name in _CHOOSING for child in node.parent.children)
    applicability = Applicability.SAFE if plain and quiet else Applicability.UNSAFE
    return Fix("End the alias with a slash", applicability, (suffixed(node, token, "/"),))
