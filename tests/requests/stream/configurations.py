"""Random configurations of stream: a few sockets whose servers choose a backend by what a connection says.

Names that are global in nginx (variables, upstreams) begin with the case's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.requests.stream.backends import Ports

VIRTUAL = (1, 25, 5)
"""Since then several servers share a socket, chosen by the TLS name, and ``pass`` exists."""

CLIENTS = ("127.0.0.1", "127.0.0.5", "127.0.1.9")
PROXIED = ("10.1.2.3", "192.0.2.7", "127.0.0.5", "10.1.9.9")
ALPN = ("h2", "http/1.1", "xmpp-client", "postgresql")


@dataclass
class Socket:
    """One socket of a case, as clients have to know it."""

    port: int
    udp: bool = False
    tls: bool = False
    proxied: bool = False
    other: bool = False  # 127.0.0.2 has a server of its own


@dataclass
class Case:
    """One generated configuration: what stands in ``stream`` for it, and what clients may try."""

    number: int
    text: str
    sockets: tuple[Socket, ...]
    names: tuple[str, ...]
    groups: dict[str, int] = field(default_factory=dict)  # ports of upstreams by their names


class Generator:
    """Writes one case."""

    def __init__(
        self,
        random: Random,
        number: int,
        ports: Sequence[int],
        backends: Ports,
        version: tuple[int, int, int],
    ) -> None:
        self.random = random
        self.number = number
        self.ports = ports
        self.backends = backends
        self.virtual = version >= VIRTUAL
        self.groups = {f"u{number}{letter}": port for letter, port in zip("abc", backends.tcp, strict=True)}
        self.variables: list[str] = []
        self.early: list[str] = []  # those that no name of a handshake decides

    def case(self) -> Case:
        """The whole case."""
        random = self.random
        lines = [f"upstream {name} {{ server 127.0.0.1:{port}; }}" for name, port in self.groups.items()]
        for at in range(random.choice((1, 2, 3, 4))):
            lines += random.choice((self._map, self._map, self._map, self._geo, self._split))(at)
        sockets = [self._socket(port) for port in self.ports[:-1]]
        for socket in sockets:
            lines += self._servers(socket)
        if self.virtual:
            lines += [f'server {{ listen 127.0.0.1:{self.ports[-1]}; return "inner {self.ports[-1]}"; }}']
        return Case(self.number, "\n".join(lines), tuple(sockets), self._names(), self.groups)

    def _names(self) -> tuple[str, ...]:
        c = f"c{self.number}"
        return (
            f"www.{c}.example", f"a.{c}.example", f"x.y.{c}.example", f"{c}.example", f"{c}.test", f"MIXED.{c}.Example",
            f"word.r.{c}", f"wo-rd.r.{c}", "other.example", f"{c}.example.",
        )  # fmt: skip

    # -- variables

    def _target(self) -> str:
        """What a variable may hold that decides about a backend."""
        random = self.random
        address = f"127.0.0.1:{random.choice(self.backends.tcp)}"
        group = random.choice(list(self.groups))
        rare = (
            "''",
            "nowhere.example:1",
            f"{group}:80",
            "127.0.0.1",
            group.upper(),
            "unix:/none",
            "not/host:1",
            "nowhere",
        )
        return random.choice((address, group, group, group, random.choice(rare)))

    def _source(self) -> str:
        pool = [
            "$ssl_preread_server_name", "$ssl_preread_server_name", "$ssl_preread_alpn_protocols", "$ssl_preread_protocol",
            "$server_port", "$remote_addr", "$protocol", "$server_addr", "$ssl_server_name", "$proxy_protocol_addr",
            '"$ssl_preread_server_name:$server_port"', '"$ssl_preread_server_name$remote_addr"', "$realip_remote_addr",
        ]  # fmt: skip
        pool += self.variables[-2:]
        if self.virtual:
            pool.append("$server_name")
        return self.random.choice(pool)

    def _map(self, at: int) -> list[str]:
        random, c = self.random, f"c{self.number}"
        name = f"$m{self.number}_{at}"
        source = self._source()
        keys = [
            f"www.{c}.example", f"*.{c}.example", f".{c}.test", f"{c}.*", f"~^(?<sub>\\w+)\\.r\\.{c}$", '"~^[^.]*\\.c"', "h2",
            "h2,http/1.1", "~postgres", '""', "~*^mixed", "127.0.0.1", "127.0.0.5", "10.1.2.3", "TCP", "udp", f"{self.ports[0]}",
            f'"~:{self.ports[0]}$"', "TLSv1.2", "TLSv1.3", "~^TLS", f"{c}.example", "127.0.0.2", "\\default", "~.",
        ]  # fmt: skip
        chosen = random.sample(keys, 5)
        flags = ["    hostnames;"] if random.random() < 0.5 else []
        if not flags:
            chosen = [key for key in chosen if not key.startswith((".", "*."))]
        flags += ["    volatile;"] if random.random() < 0.15 else []
        default = [f"    default {self._target()};"] if random.random() < 0.8 else []
        lines = [f"    {key} {self._map_value()};" for key in chosen]
        self.variables.append(name)
        return [f"map {source} {name} {{", *flags, *default, *lines, "}"]

    def _map_value(self) -> str:
        return self._target() if self.random.random() < 0.9 else self.random.choice(("$sub", "$remote_addr"))

    def _geo(self, at: int) -> list[str]:
        random, name = self.random, f"$g{self.number}_{at}"
        source = random.choice(("", "", "$proxy_protocol_addr ", "$server_addr "))
        self.variables.append(name)
        lines = [f"    default {self._target()};"] if random.random() < 0.8 else []
        networks = ("127.0.0.0/24", "127.0.0.5", "10.0.0.0/8", "10.1.2.0/24", "127.0.0.2/32")
        lines += [f"    {network} {self._target()};" for network in random.sample(networks, 3)]
        return [f"geo {source}{name} {{", *lines, "}"]

    def _split(self, at: int) -> list[str]:
        random, name = self.random, f"$s{self.number}_{at}"
        source = random.choice(
            ("$remote_addr", "$ssl_preread_server_name", "$remote_addr$server_port", "$proxy_protocol_addr")
        )
        self.variables.append(name)
        lines = [f"    {share} {self._target()};" for share in ("33.3%", "20%")]
        last = [f"    {random.choice(('*', '10%'))} {self._target()};"] if random.random() < 0.8 else []
        return [f'split_clients "{source}" {name} {{', *lines, *last, "}"]

    # -- servers

    def _socket(self, port: int) -> Socket:
        random = self.random
        if random.random() < 0.12:
            return Socket(port, udp=True)
        return Socket(
            port, tls=random.random() < 0.25, proxied=random.random() < 0.25, other=random.random() < 0.15
        )

    def _servers(self, socket: Socket) -> list[str]:
        count = self.random.choice((1, 1, 2, 3)) if self.virtual and not socket.udp else 1
        default = self.random.randrange(count) if count > 1 and self.random.random() < 0.3 else None
        found: list[str] = []
        for at in range(count):
            found += self._server(socket, "127.0.0.1", " default_server" if at == default else "")
        if socket.other:
            found += self._server(socket, "127.0.0.2", "")
        return found

    def _server(self, socket: Socket, address: str, default: str) -> list[str]:
        random = self.random
        words = f"{address}:{socket.port}{default}"
        words += " udp" if socket.udp else ""
        words += " ssl" if socket.tls else ""
        words += " proxy_protocol" if socket.proxied else ""
        lines = ["server {", f"    listen {words};"]
        if self.virtual and random.random() < 0.7:
            lines.append(f"    server_name {' '.join(self._server_names())};")
        if random.random() < 0.6:
            lines.append(f"    ssl_preread {random.choice(('on', 'on', 'on', 'off'))};")
        if random.random() < (0.6 if socket.proxied else 0.1):
            lines.append(f"    set_real_ip_from {random.choice(('127.0.0.0/8', '127.0.0.1', '10.0.0.0/8'))};")
        if random.random() < 0.15:
            lines.append(f"    set $v{self.number} {random.choice([self._target(), *self.variables])};")
        if socket.tls and random.random() < 0.15:
            lines.append(f"    ssl_alpn {' '.join(random.sample(ALPN, 2))};")
        if socket.tls and self.virtual and random.random() < 0.1:
            lines.append("    ssl_reject_handshake on;")
        lines += self._access() + self._content()
        return [*lines, "}"]

    def _server_names(self) -> list[str]:
        c = f"c{self.number}"
        pool = [
            f"www.{c}.example", f"*.{c}.example", f".{c}.test", f"{c}.*", rf"~^(?<sub>\w+)\.r\.{c}$", f"mixed.{c}.example",
            f"~^([a-z]+)\\.{c}", "_", '""',
        ]  # fmt: skip
        return self.random.sample(pool, self.random.choice((1, 1, 2)))

    def _access(self) -> list[str]:
        random = self.random
        if random.random() > 0.2:
            return []
        some = random.sample(
            ("allow 127.0.0.1;", "deny 127.0.0.5;", "allow 10.0.0.0/8;", "deny 10.1.2.3;", "allow 127.0.0.0/16;", "deny 127.0.1.0/24;"),
            2,
        )  # fmt: skip
        last = random.choice((["deny all;"], ["allow all;"], []))
        return [f"    {line}" for line in some + last]

    def _content(self) -> list[str]:
        random = self.random
        kind = random.random()
        passes = f"    proxy_pass {self._pass()};"
        texts = [
            "$ssl_preread_server_name",
            "$remote_addr",
            "$server_port",
            "$1",
            "$sub",
            "$protocol",
            "$ssl_preread_alpn_protocols",
        ]
        texts += [
            *self.variables,
            *self.variables,
            "$server_addr",
            "$proxy_protocol_addr",
            "$ssl_server_name",
            f"$v{self.number}",
        ]
        texts += ["$server_name"] if self.virtual else []
        chosen = random.sample(texts, random.choice((1, 2, 3)))
        if f"$v{self.number}" in chosen or kind < 0.3:
            lines = [f'    return "text {"|".join(chosen)}";']
            if f"$v{self.number}" in chosen:
                lines.insert(
                    0,
                    f"    set $v{self.number} {random.choice([self._target(), *self.variables, '$remote_addr'])};",
                )
            return lines + ([passes] if random.random() < 0.1 else [])
        if self.virtual and kind < 0.36:
            return [
                f"    pass 127.0.0.1:{random.choice((self.ports[-1], self.ports[-1], self.backends.tcp[0]))};"
            ]
        return [passes] + ([f'    return "text {chosen[0]}";'] if random.random() < 0.04 else [])

    def _pass(self) -> str:
        random = self.random
        if self.variables and random.random() < 0.75:
            return random.choice(self.variables)
        return random.choice((f"127.0.0.1:{random.choice(self.backends.tcp)}", *self.groups))
