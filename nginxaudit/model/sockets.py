"""Who shares a socket, and which server answers for a name on it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from msgspec import Struct

from nginxaudit.model.listen import Listen, SocketKey
from nginxaudit.model.names import ServerName
from nginxaudit.model.regex import matches
from nginxaudit.model.server import Server


class Choice(Struct, frozen=True):
    """The server for a name; ``certain`` is False if an expression before it could not be judged."""

    server: Server
    name: ServerName | None  # None: no name matched, the default server answers
    certain: bool = True


class Socket:
    """One socket with the servers that listen on it, in reading order (each may occur twice).

    It is asked when all ``members`` are known.
    """

    def __init__(self, key: SocketKey) -> None:
        self.key = key
        self.members: list[tuple[Server, Listen]] = []

    @cached_property
    def servers(self) -> list[Server]:
        """The different servers, in order."""
        return list(dict.fromkeys(server for server, _ in self.members))

    @cached_property
    def explicit_default(self) -> tuple[Server, Listen] | None:
        """First member with ``default_server``."""
        return next((member for member in self.members if member[1].default_server), None)

    @property
    def default(self) -> Server:
        """Server for everything that no name matches: the marked one, else the first."""
        marked = self.explicit_default
        return marked[0] if marked else self.members[0][0]

    @cached_property
    def ssl(self) -> bool:
        """TLS is spoken on it: one member with ``ssl`` (or ``quic``) decides for all."""
        return any(listen.ssl or listen.quic for _, listen in self.members)

    @cached_property
    def proxy_protocol(self) -> bool:
        """Connections begin with a PROXY protocol header: one member decides for all here, too."""
        return any(listen.proxy_protocol for _, listen in self.members)

    @cached_property
    def _names(self) -> _NameTable:
        table = _NameTable()
        for server in self.servers:
            for name in server.names:
                table.add(server, name)
        return table

    @property
    def ignored_names(self) -> list[tuple[Server, ServerName, Server]]:
        """Names that have no effect because of an earlier one, with the server that has that one."""
        return self._names.ignored

    @cached_property
    def _regexes(self) -> list[tuple[Server, ServerName]]:
        return [(server, name) for server in self.servers for name in server.names if name.kind == "regex"]

    def choose(self, host: str) -> Choice:
        """Server that answers for ``host`` (a name without port; empty for none)."""
        host = host.lower().removesuffix(".")
        found = self._names.find(host)
        if found is not None:
            return Choice(*found)
        certain = True
        for server, name in self._regexes if host else ():
            # Capital letters in the expression make nginx ignore case; the host is lower-case anyway.
            found_it = matches(name.name, host, caseless=name.name.lower() != name.name)
            if found_it is None:
                certain = False
            elif found_it:
                return Choice(server, name, certain)
        return Choice(self.default, None, certain)

    def __repr__(self) -> str:
        return f"<socket {self.key}>"


_Owner = tuple[Server, ServerName]


class _NameTable:
    """Names without expressions, filled as ``ngx_hash_add_key`` (src/core/ngx_hash.c) fills its hashes.

    A name that is already there is ignored; of ``.example.com`` both meanings are, even if only one
    of them was taken.
    """

    def __init__(self) -> None:
        self.ignored: list[tuple[Server, ServerName, Server]] = []
        self._taken: dict[str, Server] = {}  # exact names, and bare ones of ".example.com"
        self._exact: dict[str, _Owner] = {}
        self._leading: dict[str, _Owner] = {}  # by ".suffix"
        self._trailing: dict[str, _Owner] = {}  # by "prefix."

    def add(self, server: Server, name: ServerName) -> None:
        """Enter one name."""
        earlier = self._conflict(server, name)
        if earlier is not None:
            self.ignored.append((server, name, earlier))
        elif name.kind == "leading":
            self._leading[name.name[1:]] = (server, name)
        elif name.kind == "dot":
            self._leading[name.name] = self._exact[name.name[1:]] = (server, name)
        elif name.kind == "trailing":
            self._trailing[name.name[:-1]] = (server, name)
        elif name.kind in _PLAIN:
            self._exact[name.name] = (server, name)

    def _conflict(self, server: Server, name: ServerName) -> Server | None:
        if name.kind in _PLAIN or name.kind == "dot":
            bare = name.name.removeprefix(".") if name.kind == "dot" else name.name
            if bare in self._taken:
                return self._taken[bare]
            self._taken[bare] = server
        key = {"leading": name.name[1:], "dot": name.name, "trailing": name.name[:-1]}.get(name.kind)
        table = self._trailing if name.kind == "trailing" else self._leading
        owner = table.get(key) if key is not None else None
        return owner[0] if owner else None

    def find(self, host: str) -> _Owner | None:
        """Owner of a host in lower case."""
        if host in self._exact:
            return self._exact[host]
        dots = [at for at, char in enumerate(host) if char == "."]
        for at in dots:  # the longest *.suffix first
            if at and (found := self._leading.get(host[at:])):
                return found
        for at in reversed(dots):  # the longest prefix.* first
            if found := self._trailing.get(host[: at + 1]):
                return found
        return None


_PLAIN = ("exact", "empty", "catch-all")


def group_sockets(servers: Iterable[Server]) -> dict[SocketKey, Socket]:
    """Sockets by their key, in the order in which they are first used."""
    sockets: dict[SocketKey, Socket] = {}
    for server in servers:
        for listen in server.listens:
            key = listen.key
            socket = sockets.get(key)
            if socket is None:
                socket = sockets[key] = Socket(key)
            socket.members.append((server, listen))
    return sockets
