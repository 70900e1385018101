"""Requests that come back: to this nginx itself, or to the group that has just failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from nginxaudit.hit import CheckContext, Hit, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.model.passes import Pass
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Socket
from nginxaudit.nginx import Address

_MAX_HOPS = 12
_BREAKERS = ("if", "limit_except", "auth_request", "rewrite", "return", "satisfy")
"""Directives beside a pass that may keep a request from going round."""

_SAME_HOST = frozenset({"$host", "$http_host", "$host:$server_port", "$server_name"})


_Sockets = dict[int | None, list[Socket]]


class _Stop(Struct, frozen=True):
    """Where a request is: a server, its location, and the path it asks for."""

    server: Server
    location: Location
    uri: str


def proxy_loop(ctx: CheckContext) -> Iterable[Hit]:
    """A pass that leads back to the same location through nginx's own sockets."""
    by_location: dict[Location, list[Pass]] = {}
    for each in ctx.model.passes:
        if each.location is not None and each.scope is each.location.directive:
            by_location.setdefault(each.location, []).append(each)
    sockets = _by_port(ctx.model)
    reported: set[Location] = set()
    for each in ctx.model.passes:
        start = each.location
        if start is None or start.server is None or start in reported or each.scope is not start.directive:
            continue
        if start.modifier not in ("", "^~", "="):
            continue  # which URI an expression stands for is not known
        cycle = _follow(ctx.model, _Stop(start.server, start, start.pattern), each, by_location, sockets)
        if cycle:
            reported.update(stop.location for stop, _ in cycle)
            hit = Hit(
                whole(each.directive),
                "proxy loop: the request returns to this location: "
                + " → ".join([*(f"{stop.location.label}" for stop, _ in cycle), start.label]),
                each.directive,
                related=tuple(("and from here on", whole(other.directive)) for _, other in cycle[1:]),
                help="Pass to the address of the application, or use another port for it.",
            )
            yield unless(ctx.model.is_part("http"), "another server has the name", hit)


def _by_port(model: Model) -> _Sockets:
    """Sockets by port, UNIX ones under None; without those whose port depends on who starts nginx."""
    found: _Sockets = {}
    for key, socket in model.sockets("http").items():
        if not all(listen.implicit for _, listen in socket.members):
            found.setdefault(key.port, []).append(socket)
    return found


def _follow(
    model: Model, start: _Stop, each: Pass, by_location: dict[Location, list[Pass]], sockets: _Sockets
) -> list[tuple[_Stop, Pass]]:
    """The hops from ``start`` back to its location; empty when the request ends somewhere else."""
    path = [(start, each)]
    at, leaving = start, each
    for _ in range(_MAX_HOPS):
        following = _next(model, at, leaving, sockets)
        if following is None:
            return []
        if following.location is start.location:
            return path
        onward = by_location.get(following.location, [])
        if not onward or any(stop.location is following.location for stop, _ in path):
            return []
        at, leaving = following, onward[-1]
        path.append((at, leaving))
    return []


def _next(model: Model, stop: _Stop, each: Pass, sockets: _Sockets) -> _Stop | None:
    """Where the request of ``stop`` arrives when it is passed on; None if not at one of our locations."""
    if each.protocol not in ("proxy", "grpc") or each.runtime or each.directive.parent is None:
        return None
    if any(each.scope.first(name) for name in _BREAKERS):
        return None
    for address in _addresses(each):
        for socket in sockets.get(address.port if address.kind != "unix" else None, ()):
            if socket.ssl == each.target.tls and _same(socket, address):
                found = _arrival(model, socket, stop, each)
                if found is not None:
                    return found
    return None


def _addresses(each: Pass) -> Iterator[Address]:
    if each.upstream is not None:
        yield from (peer.address for peer in each.upstream.peers if peer.address is not None and peer.is_live)
    elif each.target.address is not None:
        yield each.target.address


def _same(socket: Socket, address: Address) -> bool:
    key = socket.key
    if address.kind == "unix":
        return key.kind == "unix" and key.host == address.host
    if key.port != address.port or key.transport != "tcp":
        return False
    if address.kind in ("inet", "inet6") and (key.kind, key.host) == (address.kind, address.host):
        return True
    local = address.host == "localhost" or (address.kind == "inet" and address.host.startswith("127."))
    if local and key.kind == "inet" and key.host == "*":
        return True
    return address.kind == "inet6" and address.host == "::1" and (key.kind, key.host) == ("inet6", "::")


def _arrival(model: Model, socket: Socket, stop: _Stop, each: Pass) -> _Stop | None:
    host = _host(model, stop, each)
    if host is None:
        return None
    choice = socket.choose(host)
    if not choice.certain:
        return None
    uri = _uri(stop, each)
    found = choice.server.match(uri)
    if found.location is None or found.redirect or not found.certain:
        return None
    return _Stop(choice.server, found.location, uri)


def _host(model: Model, stop: _Stop, each: Pass) -> str | None:
    """Name that the request carries on: the one it came with, or that of the target."""
    for header in model.effective(each.scope, "proxy_set_header"):
        if len(header.args) > 1 and header.args[0].lower() == "host":
            value = header.args[1].lower()
            if value in _SAME_HOST:
                names = [name.name for name in stop.server.names if name.kind == "exact"]
                return names[0] if names else ""
            if value in ("$proxy_host",):
                break
            return None if "$" in value else value.split(":")[0]
    return each.upstream.key if each.upstream is not None else each.host


def _uri(stop: _Stop, each: Pass) -> str:
    """Path of the request behind the pass, for the shortest URI that the location takes."""
    if each.path is None:
        return stop.uri
    path = each.path.partition("?")[0] or "/"
    return path + stop.uri.removeprefix(stop.location.pattern)


def error_page_fallback_loop(ctx: CheckContext) -> Iterable[Hit]:
    """An error of a group is answered by asking the same group again."""
    for each in ctx.model.passes:
        group = each.upstream
        if group is None or each.server is None:
            continue
        for page in ctx.model.effective(each.scope, "error_page"):
            if not page.args or not page.args[-1].startswith("@") or not _gateway_error(page.args[:-1]):
                continue
            handler = each.server.named_locations.get(page.args[-1])
            if handler is None or handler.directive is each.scope:
                continue
            again = [other for other in ctx.model.passes_in(handler.directive) if other.upstream is group]
            if again:
                yield Hit(
                    whole(page),
                    f'when "{group.name}" fails, {page.args[-1]} uses the same upstream again',
                    page,
                    related=(
                        ("first used here", whole(each.directive)),
                        ("and again here", whole(again[0].directive)),
                    ),
                    help="Pass to another upstream there, or answer with a page.",
                )


def _gateway_error(codes: Sequence[str]) -> bool:
    return any(str(code) in ("502", "503", "504") for code in codes)
