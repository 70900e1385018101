"""Servers that share a socket: who answers, whose names count, what is spoken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.finding import Severity, Witness
from nginxaudit.hit import CheckContext, Edits, Hit, Place, arg, listed, name_of, whole
from nginxaudit.model import Model
from nginxaudit.model.listen import Listen
from nginxaudit.model.names import ServerName
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Socket
from nginxaudit.nginx.names import BALANCED, FAMILIES
from nginxaudit.nginx.since import STREAM_NAMES
from nginxaudit.syntax.tree import Directive


def _families(ctx: CheckContext) -> tuple[str, ...]:
    return BALANCED if ctx.target.since(STREAM_NAMES) else ("http",)


def _line(server: Server, listen: Listen) -> Place:
    """The ``listen`` line, or the server where nobody wrote one."""
    return whole(listen.directive) if listen.directive is not None else name_of(server.directive)


def no_default_server(ctx: CheckContext) -> Iterable[Hit]:
    """Several servers on a socket and none is marked; once for sockets with the same servers.

    Of a file that is only a part nobody knows who else listens.
    """
    for family in _families(ctx):
        if ctx.model.is_part(family):
            continue
        groups: dict[tuple[Server, ...], list[Socket]] = {}
        for socket in ctx.model.sockets(family).values():
            servers = socket.servers
            if len(servers) > 1 and socket.explicit_default is None:
                groups.setdefault(tuple(servers), []).append(socket)
        for members, sockets in groups.items():
            if any(server.listen_unknown for server in members):
                continue
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            first, line = sockets[0].members[0]
            names = listed([str(each.key) for each in sockets])
            yield Hit(
                _line(first, line),
                f"{len(members)} servers listen on {names} without default_server: "
                "this one, the first, answers unknown names",
                first.directive,
                related=tuple(("another server", _line(*each)) for each in sockets[0].members[1:]),
                help="Add default_server to the server that should answer them.",
                make_fix=partial(_marked_default, first, line, ctx.model),
                cause=ctx.cause(),
                witness=detours.for_unknown(ctx, first.directive) if family == "http" else None,
            )


def _answered(ctx: CheckContext, server: Server, name: ServerName) -> Witness | None:
    """A request for the name, which the other server answers."""
    from nginxaudit.checks.routing.detours import for_name  # only who has such a finding pays for it

    return for_name(ctx, server.directive, name.name) if name.kind == "exact" else None


def _marked_default(server: Server, found: Listen, model: Model) -> Edits:
    """``default_server`` for the server that answers now, on all its sockets with the same servers.

    Where another server is the default one of a socket that they share, too, that one may be meant.
    """
    if model.unread_files(server.family) or found.directive is None:
        return None
    sockets = model.sockets(server.family)
    members = sockets[found.key].servers
    shared = [each for each in server.listens if sockets[each.key].servers == members]
    marked = [sockets[each.key].explicit_default for each in shared]
    if any(each is not None and each[0] is not server for each in marked):
        return None
    lines = {
        each.directive.statement: each.directive
        for each, default in zip(shared, marked, strict=True)
        if default is None and each.directive is not None
    }
    if not all(_is_free(node, server, model) for node in lines.values()):
        return None
    return tuple(edits.appended(node, "default_server") for node in lines.values())


def _is_free(node: Directive, server: Server, model: Model) -> bool:
    """Whether no socket of a line, which may have a range of ports, has a default server, and no other server has the line."""
    sockets = model.sockets(server.family)
    ranged = [each for each in server.listens if each.directive is node]
    return len(model.copies(node)) == 1 and all(sockets[each.key].explicit_default is None for each in ranged)


def duplicate_server_name(ctx: CheckContext) -> Iterable[Hit]:
    """A name that an earlier server of the socket has taken."""
    for family in _families(ctx):
        seen: set[tuple[Server, Server]] = set()
        for socket in ctx.model.sockets(family).values():
            for server, names, earlier in _taken(socket):
                if (server, earlier) in seen or names[0].token is None or names[0].directive is None:
                    continue
                seen.add((server, earlier))
                what = listed([str(name.token) for name in names])
                yield Hit(
                    arg(names[0].directive, names[0].token),
                    f"{what} {'is' if len(names) == 1 else 'are'} already defined on {socket.key}: "
                    "this server never receives requests for it",
                    names[0].directive,
                    related=(("the server that receives them", name_of(earlier.directive)),),
                    help="Remove one of the two names, or use different addresses or ports.",
                    witness=_answered(ctx, earlier, names[0]),
                )


def _taken(socket: Socket) -> Iterator[tuple[Server, list[ServerName], Server]]:
    """Servers with names that they do not get, and who has them. The missing name is another rule's matter."""
    found: dict[tuple[Server, Server], list[ServerName]] = {}
    for server, name, earlier in [*socket.ignored_names, *_equal_expressions(socket)]:
        if name.kind != "empty" and server is not earlier:
            found.setdefault((server, earlier), []).append(name)
    for (server, earlier), names in found.items():
        yield server, names, earlier


def _equal_expressions(socket: Socket) -> Iterator[tuple[Server, ServerName, Server]]:
    """Expressions with the same text: the first one that matches wins, without a word of nginx."""
    first: dict[str, Server] = {}
    for server in socket.servers:
        for name in server.names:
            if name.kind == "regex":
                owner = first.setdefault(name.name, server)
                if owner is not server:
                    yield server, name, owner


_SPOKEN = {
    "proxy_protocol": "every client must send the PROXY protocol",
    "ssl": "plain HTTP gets 400, and TLS clients get another server's certificate",
    "http2": "HTTP/2 is enabled for all its servers",
}


def listen_protocol_mismatch(ctx: CheckContext) -> Iterable[Hit]:
    """A parameter for the whole socket that only some of its servers write."""
    for family in FAMILIES:
        reported: set[tuple[Server, str]] = set()
        for socket in ctx.model.sockets(family).values():
            if len(socket.servers) < 2:
                continue
            for protocol, meaning in _SPOKEN.items():
                odd = _odd_one(ctx.model, socket, protocol)
                if odd is None or (odd[0][0], protocol) in reported:
                    continue
                (server, line), (other, other_line) = odd
                reported.add((server, protocol))
                yield Hit(
                    _line(server, line),
                    f"{protocol} of another server applies to all of {socket.key}: {meaning}",
                    server.directive,
                    related=((f"{protocol} is set here", _line(other, other_line)),),
                    severity=Severity.INFO if protocol == "http2" else None,
                    help=f"Write {protocol} in every listen of this address and port, or in none.",
                )


def _odd_one(
    model: Model, socket: Socket, protocol: str
) -> tuple[tuple[Server, Listen], tuple[Server, Listen]] | None:
    """A server without the parameter, and one with it."""
    having = [member for member in socket.members if getattr(member[1], protocol)]
    lacking = [member for member in socket.members if not getattr(member[1], protocol) and not member[1].quic]
    if protocol == "ssl":
        # To write it once is common and works, for servers that are made for TLS.
        lacking = [member for member in lacking if _is_plain(model, member[0])]
    lacking = [member for member in lacking if member[0] not in {server for server, _ in having}]
    return (lacking[0], having[0]) if having and lacking else None


def _is_plain(model: Model, server: Server) -> bool:
    node = server.directive
    return not (
        model.effective(node, "ssl_certificate")
        or model.unknown_inside(node)
        or model.flag(node, "ssl_reject_handshake", False)
        or model.value(node, "ssl") == "on"
    )
