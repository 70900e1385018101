"""Claims of the model about nginx, asked of nginx."""

from __future__ import annotations

import itertools
import os
import random
import re
from pathlib import Path

import pytest
from model_support import block, check, conf, free_ports, group, http, live, model_of, place, running

from nginxaudit.model.listen import parse_listen

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
        f"server {{ listen 127.0.0.1:{port}; server_name s{n}; root /nonexistent;\n{_Writer(rng).level('/', 2)}\n}}"
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
    "example.com", "*.example.com", ".example.com", "www.example.*", "*.www.example.com", "~^w+\\.", "~^(?<x>a+)\\.Example",
    "example.*", ".org", "*.org", "a.example.com", "_", '""', "A.Example.ORG", "~example",
)  # fmt: skip
_HOSTS = (
    "example.com", "EXAMPLE.com", "www.example.com", "a.b.example.com", "www.example.org", "example.net", "aaa.example.io",
    "x.www.example.com", "foo.org", "org", "_", "a.example.org", "nothing", "example.com.", "w.www.example.net",
)  # fmt: skip


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
        f"{port}", f"*:{port}", f"0.0.0.0:{port}", f"[::]:{port}", f"[0:0::0]:{port} ipv6only=off", f"127.0.0.1:{port}",
        f"[::1]:{port}", f"[0::0:1]:{port} ssl", f"{port - 1}-{port + 1}", f"unix:{tmp_path}/s", f"unix:{tmp_path}/t",
        f"127.0.0.1:{port} proxy_protocol",
    ]  # fmt: skip
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
    _, said = check(path, user=user)
    assert f'conflicting server name "" on 0.0.0.0:{port}' in said
    implicit = http(text).servers()[0].listens[0]
    assert implicit.implicit
    assert implicit.port == 80


# -- scopes


def test_access_list_of_a_level_replaces_the_outer_one(tmp_path: Path):
    (port,) = free_ports(1)
    text = f"""server {{ listen 127.0.0.1:{port}; deny all; root {tmp_path};
        location /own {{ allow 10.0.0.1; alias {tmp_path}/nginx.conf; }} location /inherited {{ alias {tmp_path}/nginx.conf; }} }}"""
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


# -- groups and passes


def test_only_a_single_address_is_never_taken_out(tmp_path: Path):
    port, dead, other = free_ports(3)
    groups = {
        "one": f"server 127.0.0.1:{dead};",
        "down": f"server 127.0.0.1:{dead}; server 127.0.0.1:{other} down;",
        "spare": f"server 127.0.0.1:{dead}; server 127.0.0.1:{other} backup down;",
        "lonely": f"server 127.0.0.1:{dead} max_fails=5 fail_timeout=99s;",
    }
    text = "".join(f"upstream {name} {{ {body} }}" for name, body in groups.items())
    text += f"server {{ listen 127.0.0.1:{port};" + "".join(
        f"location /{name} {{ proxy_pass http://{name}; }}" for name in groups
    )
    path = conf(tmp_path, text + "}")
    model = http(text + "}")
    with running(path, port) as nginx:
        for name in groups:
            before = len(nginx.errors)
            for _ in range(3):
                assert nginx.get(port, f"/{name}").status == 502
            taken_out = "no live upstreams" in nginx.errors[before:]
            assert group(model, name).is_single_peer is not taken_out, name


def test_group_names_in_targets(tmp_path: Path):
    port, back = free_ports(2)
    text = f"""upstream Group {{ server 127.0.0.1:{back}; }}
        map $arg_m $mapped {{ default group; }}
        server {{ listen 127.0.0.1:{back}; return 200 "$request_uri"; }}
        server {{ listen 127.0.0.1:{port}; set $port {back};
            location /case {{ proxy_pass http://gROUP; }}
            location /variable {{ proxy_pass http://$mapped; }}
            location /with-port {{ proxy_pass http://$mapped:{back}; }}
            location /uri {{ proxy_pass http://group$request_uri; }}
            location /scheme {{ proxy_pass $scheme://$mapped/x; }}
            location /address {{ proxy_pass http://127.0.0.1:$port; }}
        }}"""
    path = conf(tmp_path, text)
    model = http(text)
    passes = {each.location.pattern: each for each in model.passes}
    with running(path, port) as nginx:
        for uri, each in passes.items():
            reply = nginx.get(port, uri)
            reached = reply.status == 200
            assert reached == bool(each.upstreams or any(t.kind == "address" for t in each.targets)), uri
            assert each.complete, uri
        assert "no resolver defined" in nginx.errors  # what "with-port" ends in: the group is not found
    assert not passes["/with-port"].upstreams


def test_port_beside_a_group_is_refused(tmp_path: Path):
    text = "upstream app { server 127.0.0.1:1; } server { location / { proxy_pass http://app:8080; } }"
    accepted, said = check(conf(tmp_path, text))
    assert not accepted
    assert "may not have port 8080" in said
    (each,) = http(text).passes
    assert each.upstream is group(http(text)) or each.target.explicit_port


def test_refused_server_parameters(tmp_path: Path):
    words = (
        "weight=0", "weight=1.5", "weight=-1", "weight=", "max_fails=x", "max_fails=0", "fail_timeout=500ms", "fail_timeout=1m30s",
        "fail_timeout=30", "fail_timeout=", "backup=1", "down", "backup", "max_conns=0", "max_conns=10k", "nonsense", "weigth=2",
        "Weight=2", "fail_timeout=1s1m",
    )  # fmt: skip
    for word in words:
        text = f"upstream app {{ server 127.0.0.1:1; server 127.0.0.1:2 {word}; }} server {{ listen unix:{tmp_path}/s; }}"
        accepted, said = check(conf(tmp_path, text))
        invalid = group(http(text)).peers[1].invalid
        assert accepted == (not invalid), (word, said)
        assert accepted or re.search("invalid parameter|invalid", said)


def test_refused_server_addresses(tmp_path: Path):
    for text in (
        "http://127.0.0.1:1",
        "127.0.0.1/x",
        "127.0.0.1:0",
        "127.0.0.1:99999",
        "[::1",
        "[::1]:1",
        "unix:/x",
        "unix:",
        ":80",
    ):
        body = f"upstream app {{ server 127.0.0.1:1; server {text}; }} server {{ listen unix:{tmp_path}/s; }}"
        accepted, said = check(conf(tmp_path, body))
        peer = group(http(body)).peers[1]
        assert accepted == (peer.address is not None), (text, said)


@pytest.mark.parametrize("mode", ["on", "off", "merge"])
def test_header_inheritance_can_be_chosen(tmp_path: Path, mode: str):
    (port,) = free_ports(1)
    text = f"""add_header X-Http 1; server {{ listen 127.0.0.1:{port}; add_header_inherit {mode};
        location / {{ return 200; }}
        location /own {{ add_header X-Own 1; return 200; location /own/deep {{ add_header X-Deep 1; return 200; }} }} }}"""
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


def test_targets_are_refused_as_nginx_refuses(tmp_path: Path):
    targets = {
        "proxy_pass": ("http://1.2.3.4", "https://[::1]:8/x", "1.2.3.4:80", "ws://1.2.3.4", "http://unix:/s:/x", "http://:80",
                       "http://1.2.3.4:x/", "http://", "HTTP://1.2.3.4?x", "http://1.2.3.4:8:9/"),
        "fastcgi_pass": ("1.2.3.4:9000", "unix:/s", "http://1.2.3.4:9000", "1.2.3.4:9000/x", "fastcgi://1.2.3.4:9000"),
        "grpc_pass": ("1.2.3.4:50051", "grpcs://1.2.3.4:1", "http://1.2.3.4:1", "grpc://1.2.3.4:1/x", "unix:/s"),
        "uwsgi_pass": ("1.2.3.4:1", "suwsgi://1.2.3.4:1", "http://1.2.3.4:1"),
        "memcached_pass": ("1.2.3.4:11211", "$upstream:1", "memcached://1.2.3.4:1"),
    }  # fmt: skip
    for name, texts in targets.items():
        for target in texts:
            text = f"server {{ listen unix:{tmp_path}/s; set $memcached_key k; location / {{ {name} {target}; }} }}"
            accepted, said = check(conf(tmp_path, text))
            (each,) = http(text).passes
            if "host not found" in said:  # the text is fine, the name is not
                assert each.target_kind == "hostname", (name, target, said)
            else:
                assert accepted == (each.target_kind != "invalid"), (name, target, said)
