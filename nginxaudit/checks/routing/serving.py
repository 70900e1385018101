"""From which directories files are sent."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.checks.routing.locations import has_handler, may_be_skipped
from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.model.server import Server
from nginxaudit.syntax.tree import Directive

_OF_FILES = frozenset({"mp4", "flv", "f4f", "hls"})
"""Handlers that send files, too."""


def always_returns(block: Directive) -> bool:
    """Whether a ``return`` of the block answers every request that comes to it."""
    answer = block.first("return")
    return answer is not None and not may_be_skipped(block, answer)


def sends_files(block: Directive) -> bool:
    """Whether requests of a location get files: neither a handler nor a ``return`` answers all of them."""
    if always_returns(block):
        return False
    return not has_handler(block) or any(child.name in _OF_FILES for child in block.children)


def served_blocks(model: Model, node: Directive) -> Iterator[Directive]:
    """Blocks that send files and in which ``node``, a ``root``, ``alias`` or ``autoindex``, is in effect."""
    block = node.parent
    if block is None:
        return
    location, server = model.location_of(block), model.server_of(block)
    if server is not None and always_returns(server.directive):
        return
    if location is not None and location.directive is block:
        yield from _in_locations(model, [location], node)
    elif server is not None and server.directive is block:
        yield from _in_server(model, server, node)
    elif block.inner == "http":
        for each in model.servers("http"):
            if not always_returns(each.directive):
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
        if sends_files(location.directive):
            yield location.directive
        todo.extend(reversed(location.children))


def _in_effect(model: Model, block: Directive, node: Directive) -> bool:
    if node.name in ("root", "alias"):
        own = block.first("alias") or block.first("root")
        return own is None or own is node
    return node in model.effective(block, node.name)
