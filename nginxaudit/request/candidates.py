"""Requests that a configuration itself suggests: one for each location of each server, where a path for it is found."""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.model.names import ServerName
from nginxaudit.model.regex import matches
from nginxaudit.model.server import Server
from nginxaudit.pcre.sample import sample
from nginxaudit.request.records import Ask


def candidates(model: Model, *, every_host: bool = False) -> Iterator[Ask]:
    """One request to each location of each server that clients can ask for; with ``every_host`` by each of its names."""
    for server in model.servers("http"):
        yield from _of_server(server, every_host)


def _of_server(server: Server, every_host: bool) -> Iterator[Ask]:
    listen = next(
        (each for each in server.listens if each.kind in ("inet", "inet6") and each.port and not each.quic),
        None,
    )
    if listen is None or listen.port is None:
        return
    hosts = [host for name in server.names if (host := host_of(name)) is not None] or ["localhost"]
    tls = listen.ssl
    address = None if listen.is_wildcard else listen.host
    for path in dict.fromkeys(_paths(server)):
        for name in hosts if every_host else hosts[:1]:
            yield Ask(path, name, tls=tls, sni=name if tls else None, port=listen.port, address=address)


def host_of(name: ServerName) -> str | None:
    """A host that a name stands for."""
    if name.kind == "exact":
        return name.name
    if name.kind == "dot":
        return name.name[1:]
    if name.kind == "leading":
        return f"www{name.name[1:]}"
    if name.kind == "trailing":
        return f"{name.name[:-1]}example"
    return None


def _paths(server: Server) -> Iterator[str]:
    if not server.locations:
        yield "/"
    for location in server.all_locations():
        path = path_of(location)
        if path is not None:
            yield path


def path_of(location: Location) -> str | None:
    """A path that fits a location by itself; others may still win."""
    if location.is_named:
        return None
    if not location.is_regex:
        return location.pattern if location.pattern.startswith("/") else None
    path = _as_path(sample(location.pattern))
    parent = location.parent
    if parent is not None and parent.is_prefix and not path.startswith(parent.pattern):
        path = parent.pattern.rstrip("/") + path
    return path if matches(location.pattern, path, caseless=location.modifier == "~*") else None


def _as_path(text: str) -> str:
    if text.startswith("/"):
        return text
    return f"/index{text}" if text.startswith(".") else f"/{text}"
