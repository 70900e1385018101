"""Random configurations of one port: a few servers with nested locations, rewrites, conditions and access rules.

What nginx would refuse is not written. Names that are global in nginx (variables, upstreams) begin with the case's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.requests.pools import EXACT, MAP_LINES, PREFIXES, REGEXES
from tests.requests.statements import Backends, Statements


@dataclass
class Case:
    """One generated configuration: what stands in ``http`` for it, and the names that its servers have."""

    number: int
    port: int
    text: str
    names: tuple[str, ...]
    tls: int | None = None  # a second port, with TLS
    other: bool = False  # servers listen on 127.0.0.2, too
    proxied: bool = False  # connections begin with a PROXY protocol header


class Generator(Statements):
    """Writes one case."""

    def __init__(
        self, random: Random, number: int, port: int, root: str, backends: Backends, tls: int | None = None
    ) -> None:
        super().__init__(random, number, root, backends)
        self.tls = tls if random.random() < 0.3 else None
        self.other = random.random() < 0.15
        self.proxied = random.random() < 0.15
        self.port = port
        self.lines: list[str] = []

    def case(self) -> Case:
        """The whole case."""
        http = self._maps() + self._upstreams()
        servers: list[str] = []
        names: list[str] = []
        for at in range(self.random.choice((1, 1, 1, 2, 3))):
            own = self._names(at)
            names += own
            servers += self._server(at, own)
        return Case(
            self.number,
            self.port,
            "\n".join(http + servers),
            tuple(names),
            self.tls,
            self.other,
            self.proxied,
        )

    # -- http level

    def _maps(self) -> list[str]:
        random, found = self.random, []
        for at in range(random.randrange(3)):
            name = f"m{self.number}_{at}"
            source = random.choice(
                ("$uri", "$arg_x", "$host", "$http_x_test", "$request_method", "$cookie_c", "$args")
            )
            lines = [f"    {key} {value};" for key, value in random.sample(MAP_LINES, 3)]
            default = (
                [f"    default {random.choice(('0', '1', 'd', '$uri', '/a/b.txt'))};"]
                if random.random() < 0.7
                else []
            )
            flags = ["    hostnames;"] if source == "$host" else []
            flags += ["    volatile;"] if random.random() < 0.2 else []
            found += [f"map {source} ${name} {{", *flags, *default, *lines, "}"]
            self.variables.append(f"${name}")
        if random.random() < 0.3:
            name = f"t{self.number}"
            found += [f"map $sent_http_content_type ${name} {{", "    default other;", "    '' none;"]
            found += ["    ~*text/html html;", "    text/plain plain;", "    ~image/ 1h;", "}"]
            self.variables.append(f"${name}")
        if random.random() < 0.3:
            name = f"g{self.number}"
            found += [
                f"geo ${name} {{",
                "    default out;",
                "    127.0.0.0/8 home;",
                "    10.0.0.0/8 ten;",
                "    10.1.0.0/16 one;",
                "}",
            ]
            self.variables.append(f"${name}")
        if random.random() < 0.2:
            name = f"r{self.number}"
            found += [f"geo $http_x_real_ip ${name} {{", "    ranges;", "    default none;"]
            found += ["    10.0.0.0-10.255.255.255 ten;", "    192.0.2.1-192.0.2.1 test;", "}"]
            self.variables.append(f"${name}")
        if random.random() < 0.3:
            name = f"s{self.number}"
            found += [f'split_clients "{random.choice(("$uri", "$arg_x", "$remote_addr$uri"))}" ${name} {{']
            found += ["    33.3% a;", "    20% b;", f"    {random.choice(('*', '10%'))} c;", "}"]
            self.variables.append(f"${name}")
        return found

    def _upstreams(self) -> list[str]:
        port = self.backends.by_status[200]
        return [f"upstream u{self.number} {{ server 127.0.0.1:{port}; }}"]

    def _names(self, at: int) -> list[str]:
        number = self.number
        pool = [
            f"www{at}.c{number}.example", f"*.c{number}.example", f".d{at}.c{number}.example", f"c{number}.*",
            rf"~^(?<sub>\w+)\.r{at}\.example$", f"Mixed{at}.Example",
        ]  # fmt: skip
        return self.random.sample(pool, self.random.choice((0, 1, 1, 2)))

    # -- servers

    def _server(self, at: int, names: list[str]) -> list[str]:
        random = self.random
        default = (
            " default_server"
            if at and random.random() < 0.2 and not any("default_server" in x for x in self.lines)
            else ""
        )
        self.lines.append(default)
        proxied = " proxy_protocol" if self.proxied else ""
        lines = [f"server {{ listen 127.0.0.1:{self.port}{default}{proxied};"]
        lines += self._listens(at)
        if names:
            lines.append(f"server_name {' '.join(names)};")
        lines.append(f"root {self.root}{random.choice(('', '', '/', '/a'))};")
        lines += self._common(0.2)
        if random.random() < 0.12:
            lines.append("merge_slashes off;")
        if random.random() < 0.1:
            lines.append("underscores_in_headers on;")
        if random.random() < (0.6 if self.proxied else 0.15):
            lines.append(f"set_real_ip_from {random.choice(('127.0.0.1', '10.0.0.0/8'))};")
            headers = ("X-Forwarded-For", "X-Real-IP", *(("proxy_protocol",) * 3 if self.proxied else ()))
            lines.append(f"real_ip_header {random.choice(headers)};")
            lines.append(f"real_ip_recursive {random.choice(('on', 'off'))};")
        lines += self._redirect_settings()
        lines += self._rewrites(in_server=True)
        if random.random() < 0.1:
            lines.append("try_files $uri $uri/ =404;")
        lines += self._locations("", 0)
        lines += self._named()
        lines += self._auth()
        lines.append("}")
        return lines

    def _listens(self, at: int) -> list[str]:
        found, proxied = [], " proxy_protocol" if self.proxied else ""
        if self.tls is not None and (not at or self.random.random() < 0.6):
            found.append(f"listen 127.0.0.1:{self.tls} ssl{proxied};")
        if self.other and (not at or self.random.random() < 0.5):
            found.append(f"listen 127.0.0.2:{self.port}{proxied};")
        return found

    def _redirect_settings(self) -> list[str]:
        random, found = self.random, []
        names = ("absolute_redirect", "port_in_redirect")
        found += [f"{name} off;" for name in names if random.random() < 0.1]
        if random.random() < 0.1:
            found.append("server_name_in_redirect on;")
        return found

    def _auth(self) -> list[str]:
        return [
            "location = /auth { internal; "
            + self.random.choice(
                (
                    "return 204;", "return 403;", "return 401;", "return 200 ok;", "if ($arg_x) { return 403; } return 204;",
                    f"proxy_pass http://127.0.0.1:{self.backends.by_status[200]};",
                    f"proxy_pass http://127.0.0.1:{self.backends.by_status[404]};", "return 500;",
                )
            )
            + " }"
        ]  # fmt: skip

    # -- locations

    def _locations(self, parent: str, depth: int) -> list[str]:
        random = self.random
        found: list[str] = []
        used: set[str] = {"= /auth"}
        for _ in range(random.choice((1, 2, 3, 4, 5)) if not depth else random.choice((0, 0, 0, 1, 2))):
            head = self._head(parent)
            if head is None or head in used or head.replace("^~ ", "") in used or f"^~ {head}" in used:
                continue
            used.add(head)
            found += self._location(head, depth)
        return found

    def _head(self, parent: str) -> str | None:
        random = self.random
        kind = random.random()
        if kind < 0.4 or parent.startswith("~"):
            return random.choice(REGEXES)
        prefix = parent.replace("^~ ", "")
        pool = [each for each in (EXACT if kind < 0.5 else PREFIXES) if each.startswith(prefix)]
        if not pool or parent.startswith("="):
            return None
        path = random.choice(pool)
        if kind < 0.5:
            return f"= {path}"
        return f"^~ {path}" if kind < 0.6 else path

    def _location(self, head: str, depth: int) -> list[str]:
        random = self.random
        lines = [f"location {_written(head)} {{"]
        if random.random() < 0.06:
            lines.append("internal;")
        lines += self._common(0.15)
        lines += self._access()
        lines += self._rewrites(in_server=False)
        lines += self._content(head)
        if random.random() < 0.07:
            lines.append(self._limit_except())
        if not head.startswith("=") and depth < 2:
            lines += self._locations(head, depth + 1)
        lines.append("}")
        return lines

    def _limit_except(self) -> str:
        inside = self.random.choice(
            ("deny all;", "allow 127.0.0.1; deny all;", "allow 10.0.0.0/8; deny all;", "deny 127.0.0.1;")
        )
        return f"limit_except {self.random.choice(('GET', 'GET POST', 'POST', 'PUT DELETE'))} {{ {inside} }}"

    def _named(self) -> list[str]:
        found: list[str] = []
        for name in ("@one", "@two"):
            if self.random.random() < 0.8:
                found += [
                    f"location {name} {{",
                    *self._common(0.15),
                    *self._rewrites(in_server=False),
                    *self._content(name),
                    "}",
                ]
        return found


def _written(head: str) -> str:
    """A location's head with its text in quotes where it needs them."""
    modifier, _, text = head.partition(" ")
    if modifier not in ("=", "~", "~*", "^~"):
        return f'"{head}"'
    return f'{modifier} "{text}"'
