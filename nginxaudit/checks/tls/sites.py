"""Which servers are sites that people reach by a name."""

from __future__ import annotations

from nginxaudit.model.names import ServerName
from nginxaudit.model.server import Server

_INTERNAL = (".local", ".localhost", ".internal", ".test", ".lan", ".home.arpa")


def public_names(server: Server) -> list[str]:
    """Names under which browsers may ask for a site of the server: no address, and none that is only known inside a network."""
    return [name.name for name in server.names if _is_public(name)]


def _is_public(name: ServerName) -> bool:
    text = name.name.rstrip("$")
    if name.kind in ("empty", "catch-all") or "." not in text or text.endswith(_INTERNAL):
        return False
    return name.kind != "exact" or not text.replace(".", "").isdigit()
