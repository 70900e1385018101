"""Which socket and which server a request is for.

The server is found as in ``ngx_http_find_virtual_server``, the Host header is checked as in ``ngx_http_validate_host``
(src/http/ngx_http_request.c).
"""

from __future__ import annotations

import re

from nginxaudit.model import Model
from nginxaudit.model.names import ServerName
from nginxaudit.model.regex import Found, search
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Choice, Socket
from nginxaudit.request.addresses import number_of
from nginxaudit.request.flight import Closed, Flight, Lost
from nginxaudit.request.records import Ask
from nginxaudit.request.uri import lower

_HOST = re.compile(r"(?:\[[A-Za-z0-9:._~!$&'()*+,;=-]*\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::([0-9]*))?")
_MOST_SOCKETS = 6
_SETS: dict[str, str] = {
    "leading": "the wildcard {}",
    "trailing": "the wildcard {}",
    "dot": "{} (with its subdomains)",
}


class BadHost(Exception):  # noqa: N818
    """Nginx answers 400 to such a Host header."""


def normal_host(text: str) -> str:
    """A Host header in lower case, without port and final dot. Raises `BadHost`."""
    found = _HOST.fullmatch(text)
    if found is None or (found[1] and int(found[1]) > 65535):
        raise BadHost("the Host header is invalid")
    host = text[: found.start(1) - 1] if found[1] is not None else text
    if ".." in host:
        raise BadHost("the Host header has two dots in a row")
    host = host.removesuffix(".")
    if not host:
        raise BadHost("the Host header is invalid")
    return lower(host)


def sockets_for(model: Model, ask: Ask, family: str = "") -> list[Socket]:
    """Sockets that a connection to the address and port of a request can reach, the most exact ones.

    Those of the request's family, if no other one is given.
    """
    transport = "udp" if ask.protocol == "udp" else "tcp"
    sockets = model.sockets(family or ask.family).values()
    port = [
        socket
        for socket in sockets
        if socket.key.transport == transport and socket.key.port == ask.port and socket.key.kind != "unix"
    ]
    if ask.address is None:
        return port
    if ask.address.startswith("unix:"):
        path = ask.address.removeprefix("unix:")
        return [each for each in sockets if each.key.kind == "unix" and each.key.host == path]
    number = number_of(ask.address)
    exact = [each for each in port if number is not None and number_of(each.key.host) == number]
    if exact:
        return exact
    six = ":" in ask.address
    return [each for each in port if each.key.host == ("::" if six else "*")] or [
        each for each in port if not six and any(listen.dual_stack for _, listen in each.members)
    ]


def find_socket(flight: Flight) -> Socket:
    """The socket that the client connects to; where several can be, each that leads to another server is a branch."""
    ask = flight.ask
    found = sockets_for(flight.model, ask)
    if not found:
        raise _no_socket(flight)
    name = ask.sni if ask.tls and ask.sni is not None else lower((ask.host or "").partition(":")[0])
    different: dict[tuple[Server, bool], Socket] = {}
    for socket in found:
        different.setdefault((socket.choose(name).server, socket.ssl), socket)
    options = [(socket, f"the client connects to {socket.key}") for socket in different.values()]
    socket = options[0][0] if len(options) == 1 else flight.choose(("socket",), options)
    if flight.explain:
        alike = [
            each
            for each in found
            if each.ssl == socket.ssl and each.choose(name).server is socket.choose(name).server
        ]
        keys = ", ".join([str(each.key) for each in alike])
        flight.note("socket", socket.members[0][1].directive, keys, _socket_why(socket))
    return socket


def _no_socket(flight: Flight) -> Lost | Closed:
    """Nothing listens there, as far as that is known."""
    ask, model = flight.ask, flight.model
    where = f"no server listens on port {ask.port}" + (f" of {ask.address}" if ask.address else "")
    for server in model.servers(ask.family):
        for bad in server.bad_listens:
            node = bad.directive
            words = f'{where} in the input, but the address of "{node.name} {" ".join(node.args)}"'
            if node.args and node.args[0].filled:
                return Lost(
                    f"{words} comes from a template or the environment: trace the rendered file", node
                )
            return Lost(f"{words} is not known: {bad.reason}", node)
    if model.unread_files(ask.family):
        unread = model.config.incomplete_includes
        if not unread:
            return Lost(f"{where} in the input, which is only a part of a configuration")
        words = " ".join([unread[0].name, *unread[0].args])
        return Lost(f'{where} in the input, but "{words}" could not be read', unread[0])
    sockets = [str(key) for key in model.sockets(ask.family)]
    more = f" and {len(sockets) - _MOST_SOCKETS} more" if len(sockets) > _MOST_SOCKETS else ""
    others = (
        f"; there is {', '.join(sockets[:_MOST_SOCKETS])}{more}"
        if sockets
        else f"; no server of {ask.family}"
    )
    flight.note("socket", None, "the connection is refused", where + others)
    return Closed()


def _socket_why(socket: Socket) -> str:
    count = len(socket.servers)
    tls = "TLS; " if socket.ssl else ""
    return f"{tls}{count} servers listen on it" if count > 1 else f"{tls}one server listens on it"


def choose_server(flight: Flight, socket: Socket, host: str, what: str, *, capture: bool = True) -> Server:
    """The server for a name on a socket; a name that is a regular expression sets the captures (not that of a handshake)."""
    choice = socket.choose(host)
    if not choice.certain:
        choice = _undecided(flight, socket, host)
    server = choice.server
    if capture and choice.name is not None and choice.name.kind == "regex":
        found = search(choice.name.name, host, caseless=choice.name.name.lower() != choice.name.name)
        if isinstance(found, Found):
            flight.capture(found)
    if flight.explain:
        why = _why(socket, choice, host, what)
        if not any(step.node is server.directive and step.why == why for step in flight.steps):
            flight.note("server", server.directive, f"server {server.label}", why)
    return server


def _undecided(flight: Flight, socket: Socket, host: str) -> Choice:
    """A choice among names of which an expression could not be tried: it is asked about."""
    for server in socket.servers:
        for name in server.names:
            if name.kind == "regex" and flight.matches(name.name, host, True, name.directive):
                return Choice(server, name)
    return Choice(socket.default, None)


def _why(socket: Socket, choice: Choice, host: str, what: str) -> str:
    name = choice.name
    if name is not None and name.token is not None:
        return f'{what} "{host}" is {_kind(name)}'
    if len(socket.servers) == 1:
        return "the only server of the socket"
    reason = "is marked default_server" if socket.explicit_default else "is the first of the socket"
    if name is not None:
        return "it has no name, and the request names none"
    return f'no server has the name "{host}": this one {reason}'


def _kind(name: ServerName) -> str:
    if name.kind == "regex":
        return f"matched by ~{name.name}"
    return _SETS[name.kind].format(name.token) if name.kind in _SETS else "one of its names"
