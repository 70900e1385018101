"""``listen`` in http, stream and mail, and what servers on one socket may not both say.

``ngx_http_core_listen``, ``ngx_http_add_listen`` (src/http), ``ngx_stream_core_listen``, ``ngx_mail_core_listen``.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from nginxaudit.load.base import (
    LoadState,
    Mistake,
    Use,
    address,
    finally_,
    invalid,
    parsed,
    positive,
    reads,
    unknown_parameter,
)
from nginxaudit.load.fields.hashes import longest_part, overflow
from nginxaudit.load.forms import host_forms
from nginxaudit.load.scripts import expression, regex_captures
from nginxaudit.model.listen import Listen
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Socket
from nginxaudit.nginx import (
    Availability,
    parameters_of,
    parse_number,
    parse_size,
    parse_time_s,
)
from nginxaudit.nginx.since import STREAM_NAMES
from nginxaudit.syntax.tree import Directive, Token

_NUMBERS = {
    "backlog": positive,
    "setfib": parse_number,
    "fastopen": parse_number,
    "rcvbuf": parse_size,
    "sndbuf": parse_size,
}
_NOT_WITH_UDP = ("backlog", "ssl", "so_keepalive", "proxy_protocol", "fastopen")


@reads("listen", family="http stream mail", by_words=True)
def listen(use: Use) -> Iterator[Mistake]:
    """The address and the parameters of one ``listen``."""
    first, *rest = use.args
    if first.filled:
        return
    yield from address(first, 80 if use.family == "http" else 0, listen=True)
    yield from _parameters(use, rest)
    if use.family == "stream":
        names = {token.partition("=")[0]: token for token in rest}
        for name in _NOT_WITH_UDP:
            if "udp" in names and name in names:
                yield invalid(names[name], f'"{name}" cannot be used with "udp"')


def _parameters(use: Use, words: list[Token]) -> Iterator[Mistake]:
    known = {fact.name: fact for fact in parameters_of("listen", use.family, use.load.target) if fact.name}
    for token in words:
        name, equals, value = token.partition("=")
        fact = known.get(name)
        if fact is None or (equals and fact.kind == "flag"):
            yield unknown_parameter(token, "listen", known)
        elif fact.available(use.load.target) is Availability.REMOVED:
            yield invalid(token, f'the parameter "{name}" of listen was removed in nginx {fact.removed_in}')
        elif fact.kind != "flag" and not equals:
            yield invalid(token, f'"{name}" needs a value: {name}=…')
        elif name in _NUMBERS:
            yield from parsed(_NUMBERS[name], token, value)
        elif name == "ipv6only" and value not in ("on", "off"):
            yield invalid(token, f'"{value}" is neither "on" nor "off"')
        elif name == "so_keepalive":
            yield from _so_keepalive(token, value)


def _so_keepalive(token: Token, value: str) -> Iterator[Mistake]:
    if value in ("on", "off"):
        return
    parts = value.split(":")
    try:
        numbers = [parse_time_s(part) if part else 0 for part in parts[:2]]
        numbers += [parse_number(part) if part else 0 for part in parts[2:]]
        fine = len(parts) <= 3 and any(numbers)
    except ValueError:
        fine = False
    if not fine:
        yield invalid(
            token,
            f'invalid so_keepalive value "{value}"',
            "Write on, off or idle:interval:count, like 30m::10.",
        )


@reads("server_name", family="http stream")
def server_name(use: Use) -> Iterator[Mistake]:
    """Names, wildcards and expressions of a server."""
    for token in use.args:
        if token.startswith("~"):
            if len(token) == 1:
                yield Mistake("invalid-server-name", f'empty regex in server name "{token}"', token)
            else:
                yield from expression(use, token, token[1:])
        elif (token.startswith("*") and not (len(token) > 2 and token[1] == ".")) or token == ".":
            yield Mistake(
                "invalid-server-name",
                f'invalid server name "{token}"',
                token,
                'Write a wildcard as "*.example.com" or "www.example.*"; for any name use default_server or "_".',
            )


def _overflowing_names(load: LoadState, server: Directive) -> Iterator[Mistake]:
    """Names too long for the buckets of the hash of names."""
    for node in server.named("server_name"):
        for token in node.args:
            if not token.startswith(("~", "$")):
                for mistake in overflow(
                    load, server, "server_names_hash", longest_part(token.lower()), token, node
                ):
                    yield replace(mistake, rule="server-name-hash-overflow")


@finally_
def sockets(load: LoadState) -> Iterator[Mistake]:
    """Servers that share a socket, in the order of the file."""
    yield from _http_sockets(load)
    for family in ("stream", "mail"):
        if family == "stream" and load.target.since(STREAM_NAMES):
            yield from _http_sockets(load, "stream")
        else:
            yield from _lone_sockets(load, family)


def _http_sockets(load: LoadState, family: str = "http") -> Iterator[Mistake]:
    for socket in load.model.sockets(family).values():
        yield from _clashes(socket)
        servers = socket.servers
        if len(servers) > 1 or _captures(socket.default):  # only then nginx looks for the name
            for server in servers:
                yield from _hashed_names(server.directive)
                yield from _overflowing_names(load, server.directive)


def _captures(server: Server) -> bool:
    """Whether a server's names are matched though it is alone: the last regular expression among them captures."""
    expressions = [
        token[1:]
        for node in server.directive.named("server_name")
        for token in node.args
        if token.startswith("~")
    ]
    return bool(expressions) and bool(regex_captures(expressions[-1]))


def _clashes(socket: Socket) -> Iterator[Mistake]:
    """What the lines of one socket may say once only."""
    seen: dict[Server, Listen] = {}
    default: Listen | None = None
    options: Listen | None = None
    for server, each in socket.members:
        if server in seen:
            yield _listen_mistake(
                "duplicate-listen", f"duplicate listen {each} in this server", each, seen[server], _DELETE
            )
            continue
        seen[server] = each
        if each.default_server:
            if default is not None:
                yield _listen_mistake(
                    "duplicate-default-server",
                    f"duplicate default server for {each}",
                    each,
                    default,
                    "Keep one default_server.",
                )
            default = default or each
        if each.socket_options:
            if options is not None:
                yield _listen_mistake(
                    "listen-options-conflict",
                    f"duplicate listen options for {each}: they are allowed in one listen only",
                    each,
                    options,
                    "Write the options in one listen only.",
                )
            options = options or each


_DELETE = "Delete one of the two listen directives."


def _listen_mistake(rule: str, message: str, each: Listen, other: Listen, remedy: str) -> Mistake:
    related = (("first used here", other.directive),) if other.directive else ()
    return Mistake(rule, message, None, remedy, each.directive, related)


def _lone_sockets(load: LoadState, family: str) -> Iterator[Mistake]:
    for socket in load.model.sockets(family).values():
        (_, first), *others = socket.members
        for _, each in others:
            message = f"duplicate listen {each}: in {family} each address and port has one server"
            yield _listen_mistake("duplicate-listen", message, each, first, _DELETE)


def _hashed_names(server: Directive) -> Iterator[Mistake]:
    """Names that are refused only where several servers share a socket and nginx has to choose by name."""
    for node in server.named("server_name"):
        for token in node.args:
            if "*" not in token and ".." not in token:
                continue
            if token.startswith("~") or token == "*" or host_forms(token.lower()) is not None:
                continue
            if token.startswith("*") and not token.startswith("*."):
                continue  # told while it was read
            yield Mistake(
                "invalid-server-name",
                f'invalid server name or wildcard "{token}": "*" is allowed only at the start or end, next to a dot',
                token,
                "Use a regex: ~^…$",
                node,
            )
