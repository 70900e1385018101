"""Repairs of regular expressions: what they match, and what their groups capture."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.access import access_of
from nginxaudit.model.expressions import condition, map_expression
from nginxaudit.model.location import Location
from nginxaudit.model.taint import Origin
from nginxaudit.model.variables import references
from nginxaudit.pcre import Expression, parse
from nginxaudit.pcre.nodes import NEWLINE, BackReference, Chars, Group, Node, Opaque, walk
from nginxaudit.repairs.common import Edits, found_word
from nginxaudit.syntax.tree import Directive, Token

_PATHS = ("$uri", "$document_uri")
_DECODED = re.compile(
    r"\$(?:\{(?:uri|document_uri)\}|(?:uri|document_uri)(?!\w))"
    r"(?:(?:\$is_args|\$\{is_args\}|\?)(?:\$(?:args|query_string)|\$\{(?:args|query_string)\}))?"
    r"(?=[\"']?\Z)",
    re.IGNORECASE,
)
_OF_HOSTS = frozenset({"scheme", "host", "http_host", "server_name", "server_port"})
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/_.~-]*")
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")  # the same in a URL, escaped or not


def written_at(node: Directive, token: Token, text: str, offset: int) -> int | None:
    """Where the character at ``offset`` of ``text``, a part of ``token``, stands; None where escapes moved it."""
    at = edits.written(node, token).find(text)
    return token.start + at + offset if at >= 0 and text.isascii() else None


# -- locations


def exact_location(hit: Hit, model: Model) -> Fix | None:
    """``location = /path``. Safe where it answers what the expression answered, and nothing reads captures.

    A ``$`` lets a newline pass that ``=`` does not: where the location keeps somebody out, that counts.
    """
    node = hit.node
    places = [
        each for each in model.locations if node is not None and each.directive.statement is node.statement
    ]
    if node is None or not places or any(each.children for each in places):
        return None
    expression = parse(places[0].pattern)
    path = expression.literal if expression is not None else None
    between = node.source.text[node.start : node.args[-1].end]
    if path is None or _PLAIN_PATH.fullmatch(path) is None or "\n" in between:
        return None
    chosen = [_is_chosen(each, path, model) for each in places]
    if False in chosen:
        return None
    safe = None not in chosen and not _reads_captures(node) and not _keeps_out(node, model)
    applicability = Applicability.SAFE if safe else Applicability.UNSAFE
    return Fix(f"Write location = {path}", applicability, (edits.rewritten(node, f"location = {path}"),))


def _is_chosen(location: Location, path: str, model: Model) -> bool | None:
    """Whether this location gets the path now; None if unknown, and where a slash at the end adds a redirect."""
    server = location.server
    if server is None or model.unknown_inside(server.directive):
        return None
    found = server.match(path)
    if found.certain and found.location is not location:
        return False
    return True if found.certain and location.parent is None and not path.endswith("/") else None


def _keeps_out(block: Directive, model: Model) -> bool:
    refuses = any(
        each.args and each.args[0].startswith("4") for each in block.walk() if each.name == "return"
    )
    return refuses or access_of(model, block).has_any


def _reads_captures(block: Directive) -> bool:
    return any(
        reference.name.isdigit()
        for node in block.walk()
        for token in (node.name, *node.args)
        for reference in references(token)
    )


def escape_dot(hit: Hit, model: Model) -> Edits:
    """A backslash before the one dot that was found."""
    place = hit.place
    if place.source.text[place.start : place.end] != ".":
        return None
    return (edits.replaced(place.source, place.start, place.start, "\\"),)


# -- newlines


def no_newline(hit: Hit, model: Model) -> Fix | None:
    """The path as the client wrote it, or an expression that excludes newlines."""
    node, token = hit.node, found_word(hit)
    if node is None or token is None:
        return None
    origins = [each for each in model.taint.origins(token, node) if each.newline]
    if all(each.via in _PATHS for each in origins):
        made, title = _undecoded(node, token, model), "Use $request_uri"
    else:
        made, title = _excluded(node, origins, model), "Exclude newlines in the expression"
    return Fix(title, Applicability.UNSAFE, made) if made else None


def _undecoded(node: Directive, token: Token, model: Model) -> Edits:
    """``$request_uri``, arguments included; not where a rewrite has made another path of it."""
    server = model.enclosing(node, "server")
    if node.name == "rewrite" or server is None or any(each.name == "rewrite" for each in server.walk()):
        return None
    raw = edits.written(node, token)
    found = _DECODED.search(raw)
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
    at = written_at(node, node.args[-1], location.pattern, part.end - 1)
    return edits.replaced(node.source, at, at, r"\r\n") if at is not None else None


# -- captures of flawed versions


def name_captures(hit: Hit, model: Model) -> Edits:
    """Names for the groups that ``set`` or ``if`` reads behind a rewrite of the same block."""
    reader = hit.node
    rewrite = _rewrite_before(hit)
    token = _reading(reader) if reader is not None else None
    if reader is None or rewrite is None or token is None:
        return None
    numbers = dict.fromkeys(
        each.name for each in references(token) if each.name.isdigit() and each.name != "0"
    )
    return _named(rewrite, reader, token, list(map(int, numbers)), model)


def _rewrite_before(hit: Hit) -> Directive | None:
    """The rewrite with arguments, when no other expression is tried between it and what reads its groups."""
    reader, block = hit.node, hit.node.parent if hit.node is not None else None
    if reader is None or block is None or not hit.related:
        return None
    place = hit.related[0][1]
    script = block.children[: block.children.index(reader)]
    at = next(
        (n for n, each in enumerate(script) if each.start == place.start and each.source is place.source),
        None,
    )
    if at is None or any(each.name in ("rewrite", "if") for each in script[at + 1 :]):
        return None
    return script[at]


def _reading(node: Directive) -> Token | None:
    """The word of a ``set`` or a comparison that reads captures."""
    if node.name == "set" and len(node.args) > 1:
        return node.args[1]
    asked = condition(node) if node.name == "if" else None
    return asked.token if asked is not None else None


def name_inner_group(hit: Hit, model: Model) -> Edits:
    """A name for one of two nested groups, where escaping would change nothing of what it captures."""
    node = hit.node
    expression = parse(node.args[0]) if node is not None and len(node.args) > 1 else None
    if node is None or expression is None:
        return None
    used = {int(each.name) for each in references(node.args[1]) if each.name.isdigit()}
    for number in sorted(used, reverse=True):
        texts = expression.group_texts(number)
        outer = expression.parents.get(number)
        if outer in used and texts and all(map(_PLAIN.fullmatch, texts)):
            return _named(node, node, node.args[1], [number], model)
    return None


def _named(rewrite: Directive, reader: Directive, token: Token, numbers: list[int], model: Model) -> Edits:
    """Names for groups of a rewrite, and in the word that reads them."""
    pattern = rewrite.args[0]
    expression = parse(pattern)
    if expression is None:
        return None
    groups = {each.number: each for each in walk(expression.root) if isinstance(each, Group)}
    names = {number: name for name, number in expression.names.items()}
    made: list[Edit] = []
    for number in numbers:
        if number in names:
            continue
        at = (
            written_at(rewrite, pattern, str(pattern), groups[number].start + 1) if number in groups else None
        )
        if at is None:
            return None
        names[number] = _free_name(number, model)
        made.append(edits.replaced(rewrite.source, at, at, f"?<{names[number]}>"))
    return (*made, _by_name(reader, token, {number: names[number] for number in numbers}))


def _by_name(node: Directive, token: Token, names: dict[int, str]) -> Edit:
    def name(match: re.Match[str]) -> str:
        found = names.get(int(match[1] or match[2]))
        follows = match.string[match.end() : match.end() + 1]
        if found is None:
            return match[0]
        return f"${{{found}}}" if follows.isalnum() or follows == "_" else f"${found}"

    raw = edits.written(node, token)
    return edits.exchanged(node, token, re.sub(r"\$(?:\{(\d)\}|(\d))", name, raw))


def _free_name(number: int, model: Model) -> str:
    """A name that no file mentions."""
    texts = [source.text.lower() for source in model.config.sources.values()]
    name, count = f"part{number}", 1
    while any(name in text for text in texts):
        count += 1
        name = f"part{number}_{count}"
    return name


def without_groups(hit: Hit, model: Model) -> Edits:
    """``(?:…)`` in the keys of the map that capture for nothing."""
    block = hit.node.parent if hit.node is not None else None
    if block is None:
        return None
    made = [edit for line in block.children if line.source is block.source for edit in _ungrouped(line)]
    return tuple(made) or None


def _ungrouped(line: Directive) -> list[Edit]:
    text = map_expression(line.name)[1] if line.name.startswith("~") else ""
    expression = parse(text) if text else None
    if expression is None or _refers(line, expression.root):
        return []
    groups = [
        each
        for each in walk(expression.root)
        if isinstance(each, Group) and each.number is not None and each.name is None
    ]
    places = [written_at(line, line.word, text, each.start + 1) for each in groups]
    return [edits.replaced(line.source, at, at, "?:") for at in sorted(filter(None, places))]


def _refers(line: Directive, root: Node) -> bool:
    """Whether something counts the groups of a key."""
    if any(isinstance(each, BackReference | Opaque) for each in walk(root)):
        return True
    return any(each.name.isdigit() for token in line.args for each in references(token))
