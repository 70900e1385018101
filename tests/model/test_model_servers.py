"""Sockets, names and the servers behind them."""

from __future__ import annotations

import pytest
from model_support import http, model_of

from nginxaudit.model.listen import MAX_RANGE
from nginxaudit.model.names import parse_names


def _listens(*lines):
    text = " ".join(f"listen {line};" for line in lines)
    return http(f"server {{ {text} }}").servers()[0].listens


def _key(line):
    (listen,) = _listens(line)
    return listen.key


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("80", "*:80"),
        ("80", "0.0.0.0:80"),
        ("*", "80"),
        ("127.0.0.1", "127.0.0.1:80"),
        ("[::]:80", "[0:0:0::0]:80 ipv6only=off"),
        ("[::1]", "[::1]:80 ssl"),
        ("LOCALHOST:80", "localhost"),
        ("unix:/run/a.sock", "unix:/run/a.sock default_server"),
        ("443 quic", "0.0.0.0:443 quic reuseport"),
    ],
)
def test_spellings_of_one_socket(one, two):
    assert _key(one) == _key(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("80", "[::]:80"),
        ("80", "[::]:80 ipv6only=off"),
        ("443", "443 quic"),
        ("80", "127.0.0.1:80"),
        ("80", "81"),
        ("unix:/a", "unix:/A"),
        ("127.0.0.1:80", "localhost:80"),
    ],
)
def test_different_sockets(one, two):
    assert _key(one) != _key(two)


def test_parameters():
    (listen,) = _listens("[::]:443 ssl http2 proxy_protocol default backlog=10 ipv6only=off reuseport")
    assert listen.ssl
    assert listen.http2
    assert listen.proxy_protocol
    assert listen.default_server
    assert listen.dual_stack
    assert listen.is_wildcard
    assert not listen.implicit
    assert listen.options["backlog"] == "10"
    assert listen.socket_options == {"backlog": "10", "ipv6only": "off", "reuseport": None}
    assert str(listen) == "[::]:443"


def test_range_of_ports_is_many_sockets():
    listens = _listens("127.0.0.1:8000-8003")
    assert [listen.port for listen in listens] == [8000, 8001, 8002, 8003]
    assert len({listen.key for listen in listens}) == 4


def test_huge_range_is_listed_in_part():
    listens = _listens("1-65535")
    assert len(listens) == MAX_RANGE + 1
    assert (listens[0].port, listens[-1].port) == (1, 65535)


def test_server_without_listen_has_the_socket_that_nginx_opens():
    model = http("server { server_name a; } server { listen 80; }")
    implicit = model.servers()[0].listens[0]
    assert implicit.implicit
    assert implicit.directive is None
    (socket,) = model.sockets().values()
    assert socket.servers == list(model.servers())


@pytest.mark.parametrize("family", ["stream", "mail"])
def test_other_families_have_no_implicit_socket(family):
    (server,) = model_of(f"{family} {{ server {{ }} }}").servers(family)
    assert server.listens == ()
    assert not server.has_listen


def test_unread_include_may_hold_the_listen():
    model = http("server { include missing.conf; } server { location / { include missing.conf; } }")
    unknown, known = model.servers()
    assert unknown.listen_unknown
    assert unknown.listens == ()
    assert not known.listen_unknown  # what stands in a location is no listen
    assert known.listens[0].implicit
    assert model.unknown_inside(known.directive)
    assert not model.unknown_inside(known.directive, direct=True)
    assert model.unread_files("http")
    assert not model.unread_files("stream")


def test_listen_from_an_include():
    model = http("server { include l.conf; }", files={"l.conf": "listen 8080;"})
    assert [listen.port for listen in model.servers()[0].listens] == [8080]


@pytest.mark.parametrize("line", ["70000", "a:b", "10-5", "[::1", "$port", "{{port}}", "host/x", "unix:"])
def test_address_that_cannot_be_read(line):
    server = http(f"server {{ listen '{line}'; }}").servers()[0]
    assert server.listens == ()
    assert server.listen_unknown
    assert server.bad_listens[0].directive.name == "listen"


def test_stream_listen_has_no_default_port_and_may_be_udp():
    model = model_of("stream { server { listen 53 udp; listen 53; listen 127.0.0.1; } }")
    server = model.servers("stream")[0]
    assert [listen.transport for listen in server.listens] == ["udp", "tcp", "tcp"]
    assert [listen.port for listen in server.listens] == [53, 53, 0]
    assert not server.bad_listens


@pytest.mark.parametrize(
    ("text", "kind", "keys"),
    [
        ("Example.COM", "exact", ("example.com",)),
        ("*.Example.com", "leading", ("*.example.com",)),
        ("www.example.*", "trailing", ("www.example.*",)),
        (".example.com", "dot", ("example.com", "*.example.com")),
        ("~^Www", "regex", ("~^Www",)),
        ('""', "empty", ("",)),
        ("_", "catch-all", ("_",)),
        ("$hostname", "hostname", ("$hostname",)),
        ("*a.com", "invalid", ("*a.com",)),
        ("a.*.com", "invalid", ("a.*.com",)),
        ("*.a.*", "invalid", ("*.a.*",)),
        ("a..b", "invalid", ("a..b",)),
        ("*", "invalid", ("*",)),
        ("~", "invalid", ("",)),
    ],
)
def test_kinds_of_names(text, kind, keys):
    (name,) = http(f"server {{ server_name {text}; }}").servers()[0].names
    assert (name.kind, name.keys) == (kind, keys)
    assert name.is_wildcard is (kind in ("leading", "trailing", "dot"))


def test_server_names_add_up_and_http_has_an_empty_one():
    model = http("server { server_name a b; server_name c; } server { }")
    assert [name.name for name in model.servers()[0].names] == ["a", "b", "c"]
    (empty,) = model.servers()[1].names
    assert (empty.kind, empty.token) == ("empty", None)
    assert parse_names(model.servers()[0].directive.first("server_name"))[1].token == "b"


def test_stream_has_no_empty_name_and_mail_no_names():
    model = model_of("stream { server { listen 1; } } mail { server { listen 2; server_name x; } }")
    assert model.servers("stream")[0].names == ()
    assert model.servers("mail")[0].names == ()


def _socket(*servers):
    text = "".join(f"server {{ listen 80{flag}; server_name {names}; }}" for flag, names in servers)
    (socket,) = http(text).sockets().values()
    return socket


def _chosen(socket, host):
    return socket.servers.index(socket.choose(host).server)


def test_order_of_the_search_for_a_name():
    socket = _socket(
        ("", "~^www"), ("", "www.*"), ("", "*.com"), ("", "*.example.com"), ("", "www.example.com")
    )
    assert _chosen(socket, "WWW.example.com") == 4
    assert _chosen(socket, "x.example.com") == 3
    assert _chosen(socket, "www.other.com") == 2
    assert _chosen(socket, "www.other.org") == 1
    assert _chosen(socket, "www2") == 0
    assert socket.choose("nothing").name is None


def test_default_server_is_the_marked_one_else_the_first():
    assert _chosen(_socket(("", "a"), ("", "b")), "none") == 0
    marked = _socket(("", "a"), (" default_server", "b"))
    assert _chosen(marked, "none") == 1
    assert marked.explicit_default[1].default_server


def test_name_that_is_already_taken_is_ignored():
    socket = _socket(("", "example.com"), ("", ".example.com"))
    assert _chosen(socket, "www.example.com") == 0  # all of ".example.com" is lost: the default answers
    ((loser, name, winner),) = socket.ignored_names
    assert (loser, name.name, winner) == (socket.servers[1], ".example.com", socket.servers[0])


def test_names_without_conflict():
    socket = _socket(("", "a.com *.a.com"), ("", "b.com a.*"))
    assert socket.ignored_names == []


def test_expression_that_nobody_can_judge_makes_the_choice_uncertain():
    socket = _socket(("", "a"), ("", r"~(("))
    assert not socket.choose("x").certain
    assert socket.choose("a").certain


def test_tls_of_one_member_holds_for_the_socket():
    assert _socket(("", "a"), (" ssl", "b")).ssl
    assert not _socket(("", "a"), ("", "b")).ssl


def test_a_server_may_list_a_socket_twice():
    (socket,) = http("server { listen 80; listen *:80; }").sockets().values()
    assert len(socket.members) == 2
    assert len(socket.servers) == 1


def test_servers_of_groups_and_of_unknown_modules_are_not_servers():
    model = model_of("rtmp { server { listen 1; } } http { upstream u { server a; } server { } }")
    assert len(model.servers()) == 1
    assert model.servers("stream") == ()
