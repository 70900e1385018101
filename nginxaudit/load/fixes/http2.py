"""HTTP/2 by the directive instead of the parameter of listen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.model import Model
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Socket

_MANY = 20
"""Servers that share sockets, from which on only the first finding carries the fix: it is the same for all."""


def by_directive(model: Model) -> dict[Server, Fix | None]:
    """For each server with HTTP/2: ``http2 on;`` in every server of its sockets, and the parameter out of all listens.

    Half of it would switch HTTP/2 off for some servers, or leave nginx warning.
    """
    by_server: dict[Server, list[Socket]] = {}
    for socket in model.sockets("http").values():
        if any(listen.http2 for _, listen in socket.members):
            for server in socket.servers:
                by_server.setdefault(server, []).append(socket)
    fixes: dict[Server, Fix | None] = {}
    for server in model.servers("http"):
        if server not in fixes and any(listen.http2 for listen in server.listens):
            servers, sockets = _joined(server, by_server)
            fix = _fix(servers, sockets, model)
            fixes.update(dict.fromkeys(servers, fix if len(servers) < _MANY else None))
            fixes[server] = fix
    return fixes


def _joined(start: Server, by_server: Mapping[Server, Sequence[Socket]]) -> tuple[list[Server], list[Socket]]:
    """The servers that share sockets with HTTP/2, directly or by way of others, and these sockets."""
    servers = {start: None}
    sockets: dict[Socket, None] = {}
    waiting = [start]
    while waiting:
        for socket in by_server.get(waiting.pop(), ()):
            if socket not in sockets:
                sockets[socket] = None
                waiting += [each for each in socket.servers if each not in servers]
                servers.update(dict.fromkeys(socket.servers))
    return list(servers), list(sockets)


def _fix(servers: list[Server], sockets: list[Socket], model: Model) -> Fix | None:
    switches = {server: model.flag(server.directive, "http2") for server in servers}
    if False in switches.values():  # the socket speaks it and the server says no: which one is meant?
        return None
    made = {edit for socket in sockets for edit in _without_parameter(socket)}
    made.update(_switched_on(server) for server, switch in switches.items() if not switch)
    applicability = Applicability.SAFE if _is_complete(servers, sockets, model) else Applicability.UNSAFE
    return Fix("Add http2 on", applicability, tuple(made))


def _is_complete(servers: list[Server], sockets: list[Socket], model: Model) -> bool:
    """Whether HTTP/2 is spoken in the same places as before."""
    if model.unread_files("http"):
        return False
    keys = {socket.key for socket in sockets}
    return all(
        not server.listen_unknown
        and all(listen.key in keys or listen.transport == "udp" for listen in server.listens)
        for server in servers
    )


def _without_parameter(socket: Socket) -> Iterator[Edit]:
    for _, listen in socket.members:
        node = listen.directive
        for token in node.args[1:] if node is not None else ():
            if node is not None and token == "http2":
                yield edits.without(node, token)


def _switched_on(server: Server) -> Edit:
    block = server.directive
    listens = [node for node in block.named("listen") if node.source is block.source]
    return edits.after(listens[-1], "http2 on;") if listens else edits.first_in(block, "http2 on;")
