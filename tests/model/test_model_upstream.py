"""Groups and their servers."""

from __future__ import annotations

import pytest
from model_support import block, group, http, model_of


def _group(body, family="http", **kw):
    return group(model_of(f"{family} {{ upstream app {{ {body} }} }}", **kw), family=family)


def _peer(line, family="http"):
    return _group(f"server {line};", family).peers[0]


def test_defaults():
    peer = _peer("10.0.0.1")
    assert (peer.weight, peer.max_fails, peer.fail_timeout, peer.max_conns, peer.slow_start) == (
        1,
        1,
        10,
        0,
        0,
    )
    assert not any((peer.backup, peer.down, peer.drain, peer.resolve))
    assert peer.explicit == frozenset()
    assert peer.address.port == 80
    assert peer.is_live


def test_parameters():
    peer = _peer(
        "a:81 weight=5 max_fails=0 fail_timeout=1m30s max_conns=7"
        " slow_start=30s backup resolve service=x route=r"
    )
    assert (peer.weight, peer.max_fails, peer.fail_timeout, peer.max_conns) == (5, 0, 90, 7)
    assert (peer.slow_start, peer.backup, peer.resolve, peer.service, peer.route) == (
        30_000,
        True,
        True,
        "x",
        "r",
    )
    assert peer.explicit >= {"weight", "backup", "route"}
    assert peer.parameter("weight").value == "5"
    assert peer.parameter("down") is None
    assert peer.invalid == ()


def test_last_of_equal_parameters_and_of_down_and_drain_counts():
    peer = _peer("a weight=2 weight=3 down drain")
    assert peer.weight == 3
    assert peer.parameter("weight").value == "3"
    assert (peer.down, peer.drain, peer.is_live) == (False, True, False)
    assert _peer("a drain down").down


@pytest.mark.parametrize(
    "word",
    [
        "weight=0",
        "weight=1.5",
        "weight=",
        "weight",
        "max_fails=-1",
        "fail_timeout=500ms",
        "backup=1",
        "nonsense",
        "maxfails=3",
        "route=",
        "route=" + "x" * 33,
        "service=",
        "max_conns=1k",
    ],
)
def test_refused_parameters_keep_the_default_and_say_why(word):
    peer = _peer(f"a {word}")
    ((token, reason),) = peer.invalid
    assert token == word
    assert reason
    assert (peer.weight, peer.max_fails, peer.fail_timeout, peer.max_conns) == (1, 1, 10, 0)
    assert peer.explicit == {word.split("=")[0]}


@pytest.mark.parametrize(
    "text", ["http://a:80", "a/b", "[::1", "a:0", "a:x", "unix:", "'${HOST}:80'", "'{{ host }}'"]
)
def test_refused_addresses(text):
    peer = _peer(text)
    assert peer.address is None
    assert peer.invalid[0][0] == text.strip("'")
    assert not peer.is_literal
    assert not peer.is_hostname


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("Example.com", "example.com:80", True),
        ("[0::1]:80", "[::1]", True),
        ("unix:/a", "unix:/a", True),
        ("unix:/a", "unix:/A", False),
        ("10.0.0.1", "10.0.0.1:8080", False),
        ("localhost", "127.0.0.1", False),
    ],
)
def test_normal_address(one, two, same):
    assert (_peer(one).normal_address == _peer(two).normal_address) is same


def test_kinds_of_addresses():
    assert [_peer(text).is_literal for text in ("1.2.3.4", "[::1]", "unix:/a", "a", "1.2.3")] == [
        True
    ] * 3 + [False] * 2
    assert _peer("a").is_hostname


def test_default_ports():
    assert _peer("a", "stream").address.port is None
    assert _peer("a service=x resolve").address.port is None
    assert _peer("a").address.port == 80


def test_settings_of_the_group():
    upstream = _group(
        "zone z 64k; least_conn; server a; keepalive 8; sticky cookie c; resolver 1.1.1.1; state /s;"
    )
    assert upstream.zone.args == ["z", "64k"]
    assert upstream.keepalive.args == ["8"]
    assert upstream.sticky.args[0] == "cookie"
    assert upstream.resolver.args == ["1.1.1.1"]
    assert upstream.state.args == ["/s"]


@pytest.mark.parametrize(
    ("body", "method"),
    [
        ("", "round_robin"),
        ("least_conn;", "least_conn"),
        ("hash $a consistent;", "hash"),
        ("least_conn; ip_hash;", "ip_hash"),
        ("random two least_conn;", "random"),
        ("least_time header;", "least_time"),
        ("keepalive 2; zone a 64k; sticky cookie c; queue 5; ntlm;", "round_robin"),
        ("fair;", "unknown"),
        ("balancer_by_lua_block { x() }", "unknown"),
        ("check interval=3000; check_http_send x;", "round_robin"),
    ],
)
def test_methods(body, method):
    assert _group(f"server a; {body}").method == method


def test_all_methods_are_kept_in_order():
    upstream = _group("least_conn; server a; ip_hash;")
    assert [str(each.name) for each in upstream.methods] == ["least_conn", "ip_hash"]
    assert upstream.method_directive is upstream.methods[1]


def test_roles():
    upstream = _group("server a; server b down; server c backup; server d backup down; server e drain;")
    names = [
        [peer.text for peer in peers]
        for peers in (upstream.primaries, upstream.backups, upstream.live_primaries, upstream.live_backups)
    ]
    assert names == [["a", "b", "e"], ["c", "d"], ["a"], ["c"]]


@pytest.mark.parametrize(
    ("body", "single"),
    [
        ("server 1.2.3.4;", True),
        ("server unix:/a;", True),
        ("server 1.2.3.4 down;", True),
        ("server 1.2.3.4; server 1.2.3.5 down;", False),
        ("server 1.2.3.4; server 1.2.3.5 backup;", False),
        ("server 1.2.3.4; server b backup;", False),
        ("server a;", None),
        ("server a resolve;", None),
        ("server 1.2.3.4; server b backup resolve;", None),
        ("server a; server b;", False),
        ("server 1.2.3.4 backup;", False),
        ("state /s;", None),
        ("", False),
        ("include missing;", None),
        ("server 1.2.3.4; include missing;", None),
        ("server a; server b; include missing;", False),
    ],
)
def test_single_flag(body, single):
    assert _group(body).is_single_peer is single


def test_dynamic_and_complete():
    assert not _group("server a;").dynamic
    assert _group("server a resolve;").dynamic
    assert not _group("server a resolve;").external
    assert _group("server a service=x resolve;").external
    incomplete = _group("server a; include missing;")
    assert incomplete.dynamic
    assert not incomplete.complete


def test_servers_from_an_include():
    upstream = _group("include s;", files={"s": "server a; server b backup;"})
    assert [peer.text for peer in upstream.peers] == ["a", "b"]
    assert upstream.complete


def test_names_ignore_case_and_the_first_of_equal_ones_is_found():
    model = http("upstream App { server a; } upstream aPP { server b; }")
    assert len(model.upstreams()) == 2
    assert group(model, "APP") is model.upstreams()[0]
    assert group(model).name == "App"


def test_families_have_their_own_groups():
    model = model_of("http { upstream app { server a; } } stream { upstream app { server b:1; } }")
    assert group(model).peers[0].text == "a"
    assert group(model, family="stream").peers[0].text == "b:1"
    assert len(model.all_upstreams) == 2
    assert model.upstream("app", "mail") is None
    assert block(model, "upstream", "app") is model.all_upstreams[0].directive


def test_slow_start_counts_in_milliseconds():
    """``ngx_msec_t slow_start`` in nginx's ``ngx_http_upstream_server_t``; ``fail_timeout`` is seconds."""
    assert _peer("a slow_start=500ms").slow_start == 500
    assert not _peer("a slow_start=500ms").invalid
    assert _peer("a fail_timeout=500ms").invalid
