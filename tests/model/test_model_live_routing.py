"""Claims of the model about sockets, names, locations and inheritance, asked of nginx."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

import pytest
from model_support import block, check, conf, free_ports, http, live, model_of, place, running

from nginxaudit.model.listen import parse_listen
from tests.support import nginx

pytestmark = live


# -- locations

_SEGMENTS = ("a", "ab", "b", "abc", "A")
_REGEXES = (
    "~ ^/a",
    "~ b$",
    "~ /ab/",
    "~* ^/A/B",
    "~ (?i)^/AB",
    "~ ^/(?<x>a+)/b",
    "~ c",
    "~* \\.PHP$",
    "~ ^/ab?/a$",
)


def _uri(rng: random.Random, depth: int = 3) -> str:
    parts = [rng.choice(_SEGMENTS) for _ in range(rng.randint(0, depth))]
    end = rng.choice(("", "/", ".php"))
    return "/" + "/".join(parts) + (end if parts else "")


class _Writer:
    """Writes random locations that nginx accepts; each answers with its number."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.count = 0

    def level(self, prefix: str, depth: int) -> str:
        used: set[tuple[bool, str]] = set()
        lines = []
        for _ in range(self.rng.randint(1, 5)):
            kind = self.rng.choice(("", "", "", "=", "^~", "~", "~"))
            if kind == "~":
                lines.append(self.location(self.rng.choice(_REGEXES), None, depth))
                continue
            name = prefix + self.rng.choice(("", _uri(self.rng, 2).lstrip("/")))
            if (kind == "=", name) not in used:
                used.add((kind == "=", name))
                lines.append(
                    self.location(f"{kind} {name}" if kind else name, None if kind == "=" else name, depth)
                )
        return "\n".join(lines)

    def location(self, head: str, prefix: str | None, depth: int) -> str:
        self.count += 1
        passes = "proxy_pass http://127.0.0.1:9;" if self.rng.random() < 0.4 else ""
        inner = ""
        if depth and self.rng.random() < 0.5:
            if prefix is not None:
                inner = self.level(prefix, depth - 1)
            elif head.startswith("~"):
                inner = self.location(self.rng.choice(_REGEXES), None, 0)
        if head.startswith("~"):
            modifier, text = head.split(" ", 1)
            head = f'{modifier} "{text}"'
            # nginx refuses a pass with a URI in an expression; this one has none
        return f'location {head} {{ return 200 "{self.count}"; {passes}\n{inner}\n}}'


def _answer(model, host, uri):
    server = next(each for each in model.servers() if each.names[0].name == host)
    found = server.match(uri)
    assert found.certain
    if found.redirect:
        return "redirect"
    if found.location is None:
        return "none"
    return str(found.location.directive.first("return").args[1])


def test_locations_are_chosen_as_nginx_chooses(tmp_path: Path):
    rng = random.Random(20260803)
    (port,) = free_ports(1)
    servers = "\n".join(
        f"server {{ listen 127.0.0.1:{port}; server_name s{n}; root /nonexistent;\n"
        f"{_Writer(rng).level('/', 2)}\n}}"
        for n in range(60)
    )
    path = conf(tmp_path, servers)
    model = model_of(path.read_text())
    kinds = set()
    with running(path, port) as nginx:
        for number in range(60):
            for uri in {_uri(rng) for _ in range(60)}:
                reply = nginx.get(port, uri, f"s{number}")
                actual = {200: reply.body, 301: "redirect"}.get(reply.status, "none")
                kinds.add(actual if actual in ("redirect", "none") else "location")
                assert _answer(model, f"s{number}", uri) == actual, (number, uri)
    assert kinds == {"redirect", "none", "location"}  # the generator reaches every kind of answer


def test_prefix_below_noregex_is_still_beaten_by_outer_expressions(tmp_path: Path):
    (port,) = free_ports(1)
    text = f"""server {{ listen 127.0.0.1:{port};
        location /a/ {{ return 200 outer; location ^~ /a/b/ {{ return 200 inner; }} }}
        location ~ x$ {{ return 200 regex; }} }}"""
    path = conf(tmp_path, text)
    server = http(text).servers()[0]
    with running(path, port) as nginx:
        assert nginx.get(port, "/a/b/x").body == "regex"
    assert server.match("/a/b/x").location.pattern == "x$"


# -- names

_NAMES = (
    "example.com",
    "*.example.com",
    ".example.com",
    "www.example.*",
    "*.www.example.com",
    "~^w+\\.",
    "~^(?<x>a+)\\.Example",
    "example.*",
    ".org",
    "*.org",
    "a.example.com",
    "_",
    '""',
    "A.Example.ORG",
    "~example",
)
_HOSTS = (
    "example.com",
    "EXAMPLE.com",
    "www.example.com",
    "a.b.example.com",
    "www.example.org",
    "example.net",
    "aaa.example.io",
    "x.www.example.com",
    "foo.org",
    "org",
    "_",
    "a.example.org",
    "nothing",
    "example.com.",
    "w.www.example.net",
)


def test_servers_are_chosen_as_nginx_chooses(tmp_path: Path):
    rng = random.Random(7)
    ports = free_ports(25)
    lines = []
    for port in ports:
        for number in range(4):
            names = " ".join(sorted(rng.sample(_NAMES, rng.randint(0, 4))))
            marked = " default_server" if number == 2 and port % 2 else ""
            named = f"server_name {names};" if names else ""
            lines.append(f'server {{ listen 127.0.0.1:{port}{marked}; {named} return 200 "{number}"; }}')
    path = conf(tmp_path, "\n".join(lines))
    model = model_of(path.read_text())
    by_port = {socket.key.port: socket for socket in model.sockets().values()}
    with running(path, ports[0]) as nginx:
        for port in ports:
            for host in _HOSTS:
                choice = by_port[port].choose(host)
                assert choice.certain
                expected = choice.server.directive.first("return").args[1]
                assert nginx.get(port, "/", host).body == expected, (port, host)


# -- listen


def _listens(text: str):
    return parse_listen(block(http(f"server {{ listen {text}; }}"), "listen", *text.split()), "http")


def test_sockets_are_compared_as_nginx_compares(tmp_path: Path):
    (port,) = free_ports(1)
    forms = [
        f"{port}",
        f"*:{port}",
        f"0.0.0.0:{port}",
        f"[::]:{port}",
        f"[0:0::0]:{port} ipv6only=off",
        f"127.0.0.1:{port}",
        f"[::1]:{port}",
        f"[0::0:1]:{port} ssl",
        f"{port - 1}-{port + 1}",
        f"unix:{tmp_path}/s",
        f"unix:{tmp_path}/t",
        f"127.0.0.1:{port} proxy_protocol",
    ]
    tls = "ssl_reject_handshake on;"
    seen = set()
    for one, two in itertools.combinations(forms, 2):
        accepted, said = check(conf(tmp_path, f"server {{ listen {one}; listen {two}; {tls} }}"))
        duplicate = "duplicate listen" in said
        assert accepted or duplicate or "bind()" in said, said
        keys = {listen.key for listen in _listens(one)} & {listen.key for listen in _listens(two)}
        assert bool(keys) == duplicate, (one, two, said)
        seen.add(duplicate)
    assert seen == {True, False}


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize(("user", "port"), [("root", 80), ("nobody", 8000)])
def test_server_without_listen_gets_a_port_by_user(tmp_path: Path, user: str, port: int):
    text = f"server {{}} server {{ listen 0.0.0.0:{port}; }}"
    path = conf(tmp_path, text)
    for each in (tmp_path, *tmp_path.iterdir()):
        each.chmod(0o777)
    for parent in tmp_path.parents[:-2]:
        parent.chmod(parent.stat().st_mode | 0o055)
    binary = Path(nginx.judge().binary).resolve()
    if user != "root" and not all(each.stat().st_mode & 0o001 for each in (binary, *binary.parents)):
        pytest.skip(f"another user cannot run {binary}")
    _, said = check(path, user=user)
    assert f'conflicting server name "" on 0.0.0.0:{port}' in said
    implicit = http(text).servers()[0].listens[0]
    assert implicit.implicit
    assert implicit.port == 80


# -- scopes


def test_access_list_of_a_level_replaces_the_outer_one(tmp_path: Path):
    (port,) = free_ports(1)
    text = f"""server {{ listen 127.0.0.1:{port}; deny all; root {tmp_path};
        location /own {{ allow 10.0.0.1; alias {tmp_path}/nginx.conf; }}
        location /inherited {{ alias {tmp_path}/nginx.conf; }} }}"""
    path = conf(tmp_path, text, main="user root;" if os.getuid() == 0 else "")
    model = http(text)
    with running(path, port) as nginx:
        assert nginx.get(port, "/own").status == 200  # the "deny" of the server is gone
        assert nginx.get(port, "/inherited").status == 403
    own, inherited = place(model, "/own").directive, place(model, "/inherited").directive
    assert [str(each.name) for each in model.effective(own, "deny")] == ["allow"]
    assert [str(each.name) for each in model.effective(inherited, "allow")] == ["deny"]


def test_headers_of_a_level_replace_the_outer_ones(tmp_path: Path):
    (port,) = free_ports(1)
    text = f"""add_header X-Http 1; server {{ listen 127.0.0.1:{port}; add_header X-Server 1;
        location / {{ return 200; }}
        location /own {{ add_header X-Own 1; return 200;
            location /own/deep {{ return 200; }}
            location /own/if {{ if ($uri) {{ return 200; }} }} }} }}"""
    path = conf(tmp_path, text)
    model = http(text)
    with running(path, port) as nginx:
        for uri in ("/", "/own", "/own/deep", "/own/if"):
            sent = {name for name in nginx.get(port, uri).headers if name.startswith("x-")}
            location = model.servers()[0].match(uri).location
            node = location.directive.first("if") or location.directive
            assert {each.args[0].lower() for each in model.effective(node, "add_header")} == sent


def test_if_inherits_the_pass_of_its_location(tmp_path: Path):
    port, back = free_ports(2)
    text = f"""server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{back};
            if ($arg_x) {{ set $y 1; }} location /deep {{ root /nonexistent; }} }} }}
        server {{ listen 127.0.0.1:{back}; return 200 passed; }}"""
    path = conf(tmp_path, text)
    model = http(text)
    outer = place(model, "/").directive
    with running(path, port) as nginx:
        assert nginx.get(port, "/?x=1").body == "passed"
        assert nginx.get(port, "/deep").status == 404
    assert model.effective(outer.first("if"), "proxy_pass") == [outer.first("proxy_pass")]
    assert model.effective(place(model, "/deep").directive, "proxy_pass") == []


@pytest.mark.parametrize("mode", ["on", "off", "merge"])
def test_header_inheritance_can_be_chosen(tmp_path: Path, mode: str):
    (port,) = free_ports(1)
    text = f"""add_header X-Http 1; server {{ listen 127.0.0.1:{port}; add_header_inherit {mode};
        location / {{ return 200; }}
        location /own {{ add_header X-Own 1; return 200;
            location /own/deep {{ add_header X-Deep 1; return 200; }} }} }}"""
    path = conf(tmp_path, text)
    accepted, said = check(path)
    if not accepted and "unknown directive" in said:
        pytest.skip("this nginx is older than 1.29.3")
    model = http(text)
    with running(path, port) as nginx:
        for uri in ("/", "/own", "/own/deep"):
            sent = {name for name in nginx.get(port, uri).headers if name.startswith("x-")}
            node = model.servers()[0].match(uri).location.directive
            assert {each.args[0].lower() for each in model.effective(node, "add_header")} == sent
