"""What checks of the controls of standards share: which servers they are about."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.hit import CheckContext, Hit, name_of, unless
from nginxaudit.model import Model
from nginxaudit.model.access import is_local
from nginxaudit.model.server import Server
from nginxaudit.nginx.names import PASS_DIRECTIVES

SERVING = (*PASS_DIRECTIVES, "root", "alias", "try_files")
"""Directives by which a block has content."""


def public_servers(model: Model) -> Iterator[Server]:
    """Servers of http that other machines reach and that have content, read completely."""
    for server in model.servers("http"):
        if not is_local(server) and not model.unknown_inside(server.directive) and serves(server):
            yield server


def serves(server: Server) -> bool:
    """Whether requests get content: no ``return`` of the server answers them all."""
    block = server.directive
    if block.first("return") is not None:
        return False
    return any(map(block.first, SERVING)) or any(
        any(map(each.directive.first, SERVING)) for each in server.all_locations()
    )


def on_server(ctx: CheckContext, server: Server, message: str, help_: str, *names: str) -> Hit:
    """What a server lacks; all servers that lack it are one finding. ``names`` may be set in a file that is not read."""
    block = server.directive
    hit = Hit(name_of(block), message, block, help=help_, cause=ctx.cause(message))
    return unless(any(ctx.model.may_be_set(block, name) for name in names), "http sets it", hit)
