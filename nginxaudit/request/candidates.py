"""Requests that a configuration itself suggests: one for each location of each server, where a path for it is found."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nginxaudit.model import Model
from nginxaudit.model.listen import Listen
from nginxaudit.model.location import Location
from nginxaudit.model.names import ServerName
from nginxaudit.model.regex import matches
from nginxaudit.model.server import Server
from nginxaudit.pcre.sample import samples
from nginxaudit.request.records import Ask
from nginxaudit.request.uri import BadTarget, encoded, parse_target

_MOST_MEMBERS = 32
_SENDABLE = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\]", re.I)


def candidates(model: Model, *, every_host: bool = False, members: bool = False) -> Iterator[Ask]:
    """One request to each location of each server that clients can ask for.

    With ``every_host`` by each of its names, with ``members`` for each alternative of a regular expression.
    """
    for server in model.servers("http"):
        yield from _of_server(server, every_host, members)


def entrances(model: Model) -> Iterator[Ask]:
    """One request to each socket of each server by each of its names."""
    for server in model.servers("http"):
        for listen in server.listens:
            if _is_reachable(listen):
                yield from (_ask("/", host, listen) for host in hosts_of(server))


def _of_server(server: Server, every_host: bool, members: bool) -> Iterator[Ask]:
    listen = next(filter(_is_reachable, server.listens), None)
    if listen is None:
        return
    hosts = hosts_of(server)
    for path in dict.fromkeys(_paths(server, members)):
        for name in hosts if every_host else hosts[:1]:
            yield _ask(path, name, listen)


def _is_reachable(listen: Listen) -> bool:
    return listen.kind in ("inet", "inet6") and bool(listen.port) and not listen.quic


def hosts_of(server: Server) -> list[str]:
    """Hosts that its names stand for; localhost, if there is none."""
    return [host for name in server.names if (host := host_of(name)) is not None] or ["localhost"]


def _ask(path: str, host: str, listen: Listen) -> Ask:
    return Ask(
        encoded(path),
        host,
        tls=listen.ssl,
        sni=host if listen.ssl else None,
        port=listen.port or 80,
        address=None if listen.is_wildcard else listen.host,
    )


def host_of(name: ServerName) -> str | None:
    """A host that a name stands for; None where there is none that clients can send."""
    found = _host_of(name)
    return sendable(found) if found is not None else None


def sendable(host: str) -> str | None:
    """A host, or one that a wildcard of ``hostnames`` stands for, if clients can send it."""
    if host.startswith(("*.", ".")):
        host = f"www.{host.lstrip('*.')}"
    return host if _SENDABLE.fullmatch(host) else None


def _host_of(name: ServerName) -> str | None:
    if name.token is not None and name.token.filled:
        return None
    if name.kind == "exact":
        return name.name
    if name.kind == "dot":
        return name.name[1:]
    if name.kind == "leading":
        return f"www{name.name[1:]}"
    if name.kind == "trailing":
        return f"{name.name[:-1]}example"
    return None


def _paths(server: Server, members: bool) -> Iterator[str]:
    if not server.locations:
        yield "/"
    exact = {location.pattern for location in server.locations if location.is_exact}
    for location in server.all_locations():
        if location.is_regex:
            yield from _matching(location, _MOST_MEMBERS if members else 1)
        elif (path := path_of(location)) is not None:
            yield f"{path}x" if location.is_prefix and path in exact else path


def path_of(location: Location) -> str | None:
    """A path that fits a location by itself; others may still win."""
    if location.is_named:
        return None
    if not location.is_regex:
        return location.pattern if location.pattern.startswith("/") else None
    return next(_matching(location, 1), None)


def _matching(location: Location, most: int) -> Iterator[str]:
    """Paths that a regular expression matches, as nginx sees them when it has taken out dots and double slashes."""
    for text in samples(location.pattern, most):
        path = _as_path(text)
        parent = location.parent
        if parent is not None and parent.is_prefix and not path.startswith(parent.pattern):
            path = parent.pattern.rstrip("/") + path
        fitting = (each for each in (path, f"{path}x") if _fits(location, each))
        found = next(fitting, None)
        if found is not None:
            yield found


def _fits(location: Location, path: str) -> bool:
    try:
        uri = parse_target(encoded(path), merge_slashes=True).uri
    except BadTarget:
        return False
    return bool(matches(location.pattern, uri, caseless=location.modifier == "~*"))


def _as_path(text: str) -> str:
    if text.startswith("/"):
        return text
    return f"/index{text}" if text.startswith(".") else f"/{text}"
