"""What checks of the controls of standards share: which servers they are about."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.hit import CheckContext, Hit, name_of, unless
from nginxaudit.model import Model
from nginxaudit.model.access import is_local
from nginxaudit.model.server import Server
from nginxaudit.nginx.names import ABSOLUTE, PASS_DIRECTIVES
from nginxaudit.syntax.tree import Directive

SERVING = (*PASS_DIRECTIVES, "root", "alias", "try_files")
"""Directives by which a block has content."""


def public_servers(model: Model) -> Iterator[Server]:
    """Servers of http that other machines reach and that have content, read completely."""
    for server in model.servers("http"):
        if not is_local(server) and not model.unknown_inside(server.directive) and serves(server):
            yield server


def serves(server: Server) -> bool:
    """Whether requests get content: neither the server nor its ``location /`` sends them all elsewhere."""
    block = server.directive
    if _answers_all(block):
        return False
    for location in server.all_locations():
        inner = location.directive
        if ".well-known" not in location.pattern and not _answers_all(inner) and _has_content(inner):
            return True
    root = next((each for each in server.locations if each.pattern == "/"), None)
    return _has_content(block) and (root is None or not _answers_all(root.directive))


def _has_content(block: Directive) -> bool:
    return any(map(block.first, SERVING))


def _answers_all(block: Directive) -> bool:
    """Whether a ``return``, or a ``rewrite`` to another address, answers whatever is asked for."""
    if block.first("return") is not None:
        return True
    return any(
        len(node.args) > 1 and node.args[1].startswith(ABSOLUTE) and node.args[0].strip("^$()/") in ("", ".*")
        for node in block.named("rewrite")
    )


def on_server(ctx: CheckContext, server: Server, message: str, help_: str, *names: str) -> Hit:
    """What a server lacks; all servers that lack it are one finding. ``names`` may be set in a file that is not read."""
    block = server.directive
    hit = Hit(name_of(block), message, block, help=help_, cause=ctx.cause(message))
    return unless(any(ctx.model.may_be_set(block, name) for name in names), "http sets it", hit)
