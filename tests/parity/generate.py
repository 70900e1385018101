"""Whole configurations out of the facts about directives: most of their words suit; http, stream and mail in proportion."""

from __future__ import annotations

import random
from collections.abc import Sequence

from nginxaudit.nginx import Availability, DirectiveFact, Nginx, directives
from tests.parity.mutate import Mutant, names_in, typical
from tests.parity.words import METHODS, PATTERN, PEER, VALUES

_FAMILIES = {"http": 5, "stream": 3, "mail": 2}
_NAMES = (
    "a.example.com",
    "*.example.com",
    "www.example.*",
    ".example.org",
    "~^(?<n>.+)$",
    "_",
    '""',
    "b" * 47,
)
_KEYS = (
    "a",
    "b",
    "default",
    "~x",
    '""',
    "*.example.com",
    "1",
    "k" * 46,
    "k" * 47,
    "~(",
    "\\default",
    "hostnames;#",
)
_LOCATIONS = ("/", "= /a", "^~ /s/", "~ \\.php$", "~* ^/(x|y)", "@named", "/a/b", "= /")
_CONDITIONS = (
    "$host",
    "$host = a",
    "$uri ~ (.*)",
    "-f $request_filename",
    "!-e $uri",
    "$arg_a != ''",
    "$a = b",
    "$host ~",
    "x",
)
_EVENTS = (
    "",
    "",
    "worker_connections 64;",
    "use epoll;",
    "multi_accept on;",
    "accept_mutex off;",
    "worker_connections 1;",
)
_OF_MACHINE = frozenset({"path"})
_RIGHT_PEERS = ("", "", "weight=2", "max_fails=0", "fail_timeout=5s", "backup", "down", "max_conns=3")
_RIGHT_METHODS = (
    "least_conn;",
    "ip_hash;",
    "hash $remote_addr consistent;",
    "random two;",
    "zone u 64k;",
    "keepalive 4;",
)
_LISTEN = {
    "http": ("default_server", "proxy_protocol", "backlog=5", "ssl", "bind", "deferred"),
    "stream": ("udp", "proxy_protocol", "backlog=5", "bind", "reuseport"),
    "mail": ("backlog=5", "bind", "so_keepalive=on", "rcvbuf=4k"),
}
_HANDLERS = {
    "http": ("return 204;", "root /srv;", "proxy_pass http://u;", "fastcgi_pass 127.0.0.1:9000;", "proxy_pass http://127.0.0.1:1/;", ""),
    "stream": ("proxy_pass u;", "return x;", "proxy_pass 127.0.0.1:1;", "proxy_pass u; return a;"),
    "mail": ("protocol imap;", "protocol smtp;", "protocol pop3;", ""),
}  # fmt: skip


def generated(rng: random.Random, target: Nginx) -> Mutant:
    """A configuration of one family, seldom of two, out of what ``target`` knows."""
    count = 2 if rng.random() < 0.1 else 1
    families = rng.choices(list(_FAMILIES), list(_FAMILIES.values()), k=count)
    writer = _Writer(rng, target)
    lines = [*writer.some("main", 1), "events {", rng.choice(_EVENTS), "}"]
    for family in dict.fromkeys(families):
        lines += writer.family(family)
    return Mutant("\n".join(lines) + "\n", f"generated {'+'.join(dict.fromkeys(families))}")


class _Writer:
    def __init__(self, rng: random.Random, target: Nginx) -> None:
        self._rng, self._target = rng, target

    def _often(self, right: Sequence[str], wrong: Sequence[str]) -> str:
        return self._rng.choice(wrong if self._rng.random() < 0.08 else right)

    def some(self, context: str, most: int = 2) -> list[str]:
        """Up to ``most`` directives of a context, none of them a block."""
        names = [name for name in names_in(context) if name != "listen"]
        count = self._rng.choice((0, 0, 0, *range(most + 1))) if names else 0
        return [self._line(context, self._rng.choice(names)) for _ in range(count)]

    def _line(self, context: str, name: str) -> str:
        rng = self._rng
        fitting = [
            fact
            for fact in directives(name)
            if context in fact.contexts
            and not fact.block
            and fact.type not in _OF_MACHINE
            and fact.available(self._target) is Availability.YES
        ]
        if not fitting:
            return ""
        fact = rng.choice(fitting)
        if fact.default and rng.random() < 0.6:
            return f"{name} {fact.default};"
        words = [self._word(fact) for _ in range(self._count(fact))]
        return f"{' '.join([name, *words])};"

    def _count(self, fact: DirectiveFact) -> int:
        most = fact.args.maximum if fact.args.maximum is not None else fact.args.minimum + 2
        return self._rng.randint(fact.args.minimum, max(most, fact.args.minimum))

    def _word(self, fact: DirectiveFact) -> str:
        return typical(fact, self._rng) if self._rng.random() < 0.97 else self._rng.choice(VALUES)

    def family(self, name: str) -> list[str]:
        """A block of http, stream or mail with everything in it."""
        rng, lines = self._rng, [f"{name} {{", *self.some(name, 3)]
        if name == "mail":
            lines.append("auth_http 127.0.0.1:9/a;" if rng.random() < 0.8 else "")
        else:
            lines += self._upstream("upstream" if name == "http" else "stream-upstream")
            lines += self._tables()
        for _ in range(rng.randint(1, 3)):
            lines += self._server(name)
        return [*lines, "}"]

    def _upstream(self, context: str) -> list[str]:
        rng = self._rng
        servers = [
            f"server {rng.choice(('127.0.0.1:1', '127.0.0.1:2', 'unix:/tmp/s'))} {self._often(_RIGHT_PEERS, PEER)};"
            for _ in range(rng.choice((1, 1, 2, 2, 3, 3, 3, 3, 0)))
        ]
        method = [self._often(_RIGHT_METHODS, METHODS)] if rng.random() < 0.3 else []
        return ["upstream u {", *method, *servers, *self.some(context, 1), "}"]

    def _tables(self) -> list[str]:
        rng, name = self._rng, self._rng.choice(("m", "m", "variable_" + "m" * 37, "variable_" + "m" * 38))
        lines = [
            f"{rng.choice(_KEYS)} {rng.choice(('1', '$host', 'x', '$nothing', ''))};"
            for _ in range(rng.randint(0, 3))
        ]
        table = [f"map $remote_addr ${name} {{", *lines, "}"]
        areas = [
            f"{self._often(('10.0.0.0/8', '::1', 'default', '10.0.0.1'), ('x', '1.1.1.1-1.1.1.3', '10.0.0.0/33'))} 1;"
            for _ in range(2)
        ]
        return rng.choice(
            ([], table, [*table, "geo $g {", *areas, "}"], ["split_clients $remote_addr $s { 50% a; * b; }"])
        )

    def _server(self, family: str) -> list[str]:
        rng = self._rng
        port = rng.randint(20000, 30000)
        options = self._often(
            ("", "", "", *_LISTEN[family]), (*VALUES, "reuseport", "default_server", "udp", "ssl")
        )
        lines = ["server {", f"listen 127.0.0.1:{rng.choice((port, port, port, 20000))} {options};"]
        lines += self.some({"http": "server", "stream": "stream-server", "mail": "mail-server"}[family], 3)
        if family == "http":
            if rng.random() < 0.5:
                lines.append(f"server_name {' '.join(rng.sample(_NAMES, k=2))};")
            for _ in range(rng.randint(0, 2)):
                lines += self._location()
        else:
            lines.append(rng.choice(_HANDLERS[family]))
        return [*lines, "}"]

    def _location(self) -> list[str]:
        rng = self._rng
        lines = [f"location {rng.choice(_LOCATIONS)} {{", *self.some("location", 3)]
        if rng.random() < 0.3:
            lines += [
                f"if ({self._often(_CONDITIONS[:6], _CONDITIONS)}) {{",
                *self.some("if-in-location"),
                "}",
            ]
        if rng.random() < 0.2:
            lines.append(f"rewrite {self._often(('^/a', '(.*)', 'x$'), PATTERN)} /b last;")
        return [*lines, rng.choice(_HANDLERS["http"]), "}"]
