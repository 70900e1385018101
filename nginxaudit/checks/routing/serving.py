"""Which blocks serve content at all, and from which directories files are sent."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.checks.routing.locations import has_handler, is_redirect, may_be_skipped, may_end
from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.model.regex import matches
from nginxaudit.model.server import Server
from nginxaudit.pcre.expression import parse
from nginxaudit.syntax.tree import Directive

_OF_FILES = frozenset({"mp4", "flv", "f4f", "hls"})
"""Handlers that send files, too."""


def always_returns(block: Directive) -> bool:
    """Whether a ``return`` of the block answers every request that comes to it."""
    answer = block.first("return")
    return answer is not None and not may_be_skipped(block, answer)


def never_serves(model: Model, block: Directive) -> bool:
    """Whether no request gets to the content of a server or location: ``return`` or ``rewrite`` take all before.

    A rewrite takes those whose path has a newline only where its expression is ``^``: these do not count.
    """
    known = model.once(_known)
    if block not in known:
        known[block] = _never_serves(model, block)
    return known[block]


def _known(model: Model) -> dict[Directive, bool]:
    """Answers of `never_serves`: of a server each of its locations asks anew."""
    return {}


def _never_serves(model: Model, block: Directive) -> bool:
    location = model.location_of(block)
    own = location if location is not None and location.directive is block else None
    changed = False
    for node in block.children:
        if node.name == "return":
            return True
        if may_end(node):
            return False
        if node.name == "rewrite" and len(node.args) > 1:
            leaves = is_redirect(node) or (own is not None and node.args[2:] != ["break"])
            if leaves and _takes_all(node, None if changed else own) and not _goes_on(block, node):
                return True
            if not is_redirect(node):
                if node.args[2:]:
                    return False  # last or break: what does not stand behind it is not asked
                changed = True
    return False


def never_reached(model: Model, block: Directive) -> bool:
    """Whether no client gets the content of a location, by its own rewrites or those of its server."""
    server = model.server_of(block)
    if never_serves(model, block) or server is None or server.directive is block:
        return never_serves(model, block)
    return never_serves(model, server.directive) or _sent_elsewhere(server, block)


def _sent_elsewhere(server: Server, block: Directive) -> bool:
    """Whether the server sends every request to one path, which another location takes."""
    for node in server.directive.children:
        if node.name == "return" or may_end(node):
            return False
        if node.name == "rewrite" and len(node.args) > 1 and not is_redirect(node):
            path = str(node.args[1]).partition("?")[0]
            ends = node.args[2:] in (["last"], ["break"])
            if not ends or "$" in path or not _takes_all(node, None) or node.args[1].filled:
                return False
            found = server.match(path)
            return found.certain and (found.location is None or found.location.directive is not block)
    return False


def _goes_on(block: Directive, node: Directive) -> bool:
    """Whether the path that a rewrite without a flag made is taken up by something behind it."""
    if is_redirect(node) or node.args[2:]:
        return False
    behind = block.children[block.children.index(node) + 1 :]
    return any(may_end(each) or (each.name == "rewrite" and each.args[2:] == ["break"]) for each in behind)


def _takes_all(node: Directive, location: Location | None) -> bool:
    """Whether the expression of a ``rewrite`` matches every path, or every one that the location takes."""
    if any(token.filled for token in node.args):
        return False
    pattern = str(node.args[0])
    if location is not None and location.is_exact:
        return matches(pattern, location.pattern) is True
    if (
        location is not None
        and location.is_regex
        and location.modifier == "~"
        and location.pattern == pattern
    ):
        return True
    expression = parse(pattern)
    covered = None if expression is None else expression.covered
    if location is not None and location.is_prefix:
        return covered is not None and location.pattern.startswith(covered)
    return covered == "/"


def sends_files(model: Model, block: Directive) -> bool:
    """Whether requests of a location get files: neither a handler nor a rewrite takes all of them."""
    if never_serves(model, block):
        return False
    return not has_handler(block) or any(child.name in _OF_FILES for child in block.children)


def served_blocks(model: Model, node: Directive) -> Iterator[Directive]:
    """Blocks that send files and in which ``node``, a ``root``, ``alias`` or ``autoindex``, is in effect."""
    block = node.parent
    if block is None:
        return
    location, server = model.location_of(block), model.server_of(block)
    if server is not None and never_serves(model, server.directive):
        return
    if location is not None and location.directive is block:
        yield from _in_locations(model, [location], node)
    elif server is not None and server.directive is block:
        yield from _in_server(model, server, node)
    elif block.inner == "http":
        for each in model.servers("http"):
            if not never_serves(model, each.directive):
                yield from _in_server(model, each, node)
        if not model.servers("http"):
            yield block
    else:
        yield block  # an if, or a fragment


def _in_server(model: Model, server: Server, node: Directive) -> Iterator[Directive]:
    if not _in_effect(model, server.directive, node):
        return
    takes_all = any(each.is_prefix and each.pattern == "/" for each in server.locations)
    if model.unknown_inside(server.directive, direct=True) or not takes_all:
        yield server.directive
    yield from _in_locations(model, server.locations, node)


def _in_locations(model: Model, locations: list[Location], node: Directive) -> Iterator[Directive]:
    todo = list(reversed(locations))
    while todo:
        location = todo.pop()
        if not _in_effect(model, location.directive, node):
            continue
        if sends_files(model, location.directive):
            yield location.directive
        todo.extend(reversed(location.children))


def _in_effect(model: Model, block: Directive, node: Directive) -> bool:
    if node.name in ("root", "alias"):
        own = block.first("alias") or block.first("root")
        return own is None or own is node
    return node in model.effective(block, node.name)
