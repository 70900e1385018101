"""The host as a backend is to hear it."""

from __future__ import annotations

from nginxaudit.model.server import Server

_DEFAULT_PORTS = frozenset({80, 443})


def told_host(server: Server | None) -> str:
    """``$host``, with the port of the socket where it is none that clients leave out."""
    listens = () if server is None else server.listens
    others = [each for each in listens if each.port is not None and each.port not in _DEFAULT_PORTS]
    return "$host:$server_port" if listens and len(others) == len(listens) else "$host"
