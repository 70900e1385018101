"""``listen`` in http, stream and mail, and what servers on one socket may not both say.

``ngx_http_core_listen``, ``ngx_http_add_listen`` (src/http), ``ngx_stream_core_listen``, ``ngx_mail_core_listen``.
"""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.checks.load.base import (
    Load,
    Mistake,
    Use,
    finally_,
    invalid,
    parsed,
    positive,
    reads,
    unknown_parameter,
)
from nginxaudit.checks.load.maps import host_forms
from nginxaudit.model.listen import Listen, SocketKey
from nginxaudit.model.server import Server
from nginxaudit.nginx import (
    Availability,
    has_placeholder,
    parameters,
    parse_address,
    parse_number,
    parse_size,
    parse_time_s,
)
from nginxaudit.syntax.tree import Directive, Token

_NUMBERS = {
    "backlog": positive,
    "setfib": parse_number,
    "fastopen": parse_number,
    "rcvbuf": parse_size,
    "sndbuf": parse_size,
}
_LONGEST_NAME = 46  # bytes: a bucket of 64 less two pointers and the length, aligned to 8
_NOT_WITH_UDP = ("backlog", "ssl", "so_keepalive", "proxy_protocol", "fastopen")


@reads("listen", family="http stream mail")
def listen(use: Use) -> Iterator[Mistake]:
    """The address and the parameters of one ``listen``."""
    address, *rest = use.args
    if has_placeholder(address):
        return
    try:
        parse_address(address, 80 if use.family == "http" else 0, listen=True)
    except ValueError as error:
        yield invalid(address, f"{error}; nginx refuses to start")
    yield from _parameters(use, rest)
    if use.family == "stream":
        names = {token.partition("=")[0]: token for token in rest}
        for name in _NOT_WITH_UDP:
            if "udp" in names and name in names:
                yield invalid(names[name], f'"{name}" cannot be used with "udp"')


def _parameters(use: Use, words: list[Token]) -> Iterator[Mistake]:
    known = {fact.name: fact for fact in parameters("listen", use.family) if fact.name}
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
            token, f'"{value}" is no so_keepalive', "Write on, off or idle:interval:count, like 30m::10."
        )


@reads("server_name", family="http stream")
def server_name(use: Use) -> Iterator[Mistake]:
    """Names, wildcards and expressions of a server."""
    from nginxaudit.checks.load.scripts import expression

    for token in use.args:
        if token.startswith("~"):
            if len(token) == 1:
                yield Mistake("invalid-server-name", "the expression of a server name is empty", token)
            else:
                yield from expression(use, token, token[1:])
        elif (token.startswith("*") and not (len(token) > 2 and token[1] == ".")) or token == ".":
            yield Mistake(
                "invalid-server-name",
                f'"{token}" is no server name',
                token,
                'A wildcard is written "*.example.com" or "www.example.*"; for any name use default_server or "_".',
            )


def _overflowing_names(load: Load, server: Directive) -> Iterator[Mistake]:
    """Names too long for the default bucket of the hash of names (``ngx_hash_init`` in src/core/ngx_hash.c)."""
    if load.model.effective(server, "server_names_hash_bucket_size"):
        return
    for node in server.named("server_name"):
        for token in node.args:
            if len(token.encode("utf-8", "surrogateescape")) > _LONGEST_NAME and not token.startswith(
                ("~", "*", ".", "$")
            ):
                yield Mistake(
                    "server-name-hash-overflow",
                    f"the name has {len(token)} characters, more than the hash of names holds by default",
                    token,
                    "Set server_names_hash_bucket_size 128; in http.",
                    node,
                )


@finally_
def sockets(load: Load) -> Iterator[Mistake]:
    """Servers that share a socket, in the order of the file."""
    yield from _http_sockets(load)
    for family in ("stream", "mail"):
        if family == "stream" and load.target.version >= (1, 25, 5):
            yield from _http_sockets(load, "stream")
        else:
            yield from _lone_sockets(load, family)


def _http_sockets(load: Load, family: str = "http") -> Iterator[Mistake]:
    taken: dict[SocketKey, list[tuple[Server, Listen]]] = {}
    for server in load.model.servers(family):
        for each in server.listens:
            earlier = taken.setdefault(each.key, [])
            yield from _clashes(server, each, earlier)
            earlier.append((server, each))
    for sharers in taken.values():
        if len({id(server) for server, _ in sharers}) > 1:
            for server in dict.fromkeys(server for server, _ in sharers):
                yield from _hashed_names(server.directive)
                yield from _overflowing_names(load, server.directive)


def _clashes(server: Server, each: Listen, earlier: list[tuple[Server, Listen]]) -> Iterator[Mistake]:
    node = each.directive
    for other_server, other in earlier:
        if other_server is server:
            yield _listen_mistake(
                "duplicate-listen", f"{each} is listened on twice in this server", node, other
            )
            return
    if each.default_server:
        first = next((other for _, other in earlier if other.default_server), None)
        if first is not None:
            yield _listen_mistake(
                "duplicate-default-server",
                f"{each} has a default_server already: nginx refuses a second one",
                node,
                first,
            )
    if each.socket_options:
        first = next((other for _, other in earlier if other.socket_options), None)
        if first is not None:
            yield _listen_mistake(
                "listen-options-conflict",
                f"the options of the socket {each} are given twice: nginx accepts them in one listen only",
                node,
                first,
            )


def _listen_mistake(rule: str, message: str, node: Directive | None, other: Listen) -> Mistake:
    related = (("given here", other.directive),) if other.directive else ()
    return Mistake(rule, message, None, "Keep them in one listen of the socket.", node, related)


def _lone_sockets(load: Load, family: str) -> Iterator[Mistake]:
    taken: dict[SocketKey, Listen] = {}
    for server in load.model.servers(family):
        for each in server.listens:
            other = taken.setdefault(each.key, each)
            if other is not each:
                yield _listen_mistake(
                    "duplicate-listen",
                    f"{each} is listened on twice; in {family} each socket has one server",
                    each.directive,
                    other,
                )


def _hashed_names(server: Directive) -> Iterator[Mistake]:
    """Names that are refused only where several servers share a socket and nginx has to choose by name."""
    for node in server.named("server_name"):
        for token in node.args:
            if token.startswith("~") or token in ("", "*") or host_forms(token.lower()) is not None:
                continue
            if token.startswith("*") and not token.startswith("*."):
                continue  # told while it was read
            yield Mistake(
                "invalid-server-name",
                f'"{token}" is no server name: a * stands at the beginning or the end, with a dot beside it',
                token,
                "Use an expression: ~^…$",
                node,
            )
