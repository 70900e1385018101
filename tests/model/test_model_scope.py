"""Levels and inheritance."""

from __future__ import annotations

import pytest
from model_support import block, http, model_of, place

from nginxaudit.model.scope import enclosing, family_of


def _args(found):
    return [" ".join(each.args) for each in found]


def test_scalar_of_the_nearest_level_wins():
    model = http("""
        proxy_read_timeout 10s;
        server { proxy_read_timeout 20s;
            location /a { proxy_read_timeout 30s; location /a/b { } }
            location /c { } }
        server { }""")
    assert model.time_ms(place(model, "/a/b").directive, "proxy_read_timeout") == 30_000
    assert model.time_ms(place(model, "/c").directive, "proxy_read_timeout") == 20_000
    assert model.time_ms(model.servers()[1].directive, "proxy_read_timeout") == 10_000


def test_own_use_of_a_list_replaces_the_whole_inherited_list():
    model = http("""
        proxy_set_header A 1; proxy_set_header B 2;
        server { location /own { proxy_set_header C 3; if ($x) { set $y 1; } } location /none { } }""")
    own = place(model, "/own").directive
    assert _args(model.effective(own, "proxy_set_header")) == ["C 3"]
    assert _args(model.effective(own.first("if"), "proxy_set_header")) == ["C 3"]
    assert _args(model.effective(place(model, "/none").directive, "proxy_set_header")) == ["A 1", "B 2"]


def test_allow_and_deny_share_one_list_in_reading_order():
    model = http(
        "deny 1.1.1.1; server { allow 2.2.2.2; deny all; location / { } location /x { allow all; } }"
    )
    assert _args(model.effective(place(model, "/").directive, "allow")) == ["2.2.2.2", "all"]
    assert _args(model.effective(place(model, "/x").directive, "deny")) == ["all"]
    assert [each.name for each in model.effective(place(model, "/").directive, "deny")] == ["allow", "deny"]


@pytest.mark.parametrize(
    "name", ["rewrite ^ /x last", "try_files $uri =404", "return 404", "proxy_pass http://a"]
)
def test_some_directives_stay_in_their_block(name):
    model = http(f"server {{ location /a {{ {name}; location /a/b {{ }} }} }}")
    word = name.split()[0]
    assert len(model.effective(place(model, "/a").directive, word)) == 1
    assert model.effective(place(model, "/a/b").directive, word) == []


def test_pass_reaches_if_and_limit_except_but_not_nested_locations():
    model = http("""server { location /a { proxy_pass http://b;
        limit_except GET { deny all; } if ($x) { set $y 1; } location /a/b { } } }""")
    outer = place(model, "/a").directive
    for inner in ("limit_except", "if"):
        assert _args(model.effective(outer.first(inner), "proxy_pass")) == ["http://b"]
    assert model.effective(place(model, "/a/b").directive, "proxy_pass") == []


@pytest.mark.parametrize(
    ("mode", "expected"), [("on", ["X-Own 1"]), ("off", ["X-Own 1"]), ("merge", ["X-Own 1", "X-Http 1"])]
)
def test_add_header_inherit(mode, expected):
    model = http(f"""add_header X-Http 1; server {{ add_header_inherit {mode};
        location /own {{ add_header X-Own 1; }} location /none {{ }} }}""")
    assert _args(model.effective(place(model, "/own").directive, "add_header")) == expected
    inherited = _args(model.effective(place(model, "/none").directive, "add_header"))
    assert inherited == ([] if mode == "off" else ["X-Http 1"])


def test_group_inherits_only_its_resolver():
    model = http("""resolver 1.1.1.1; keepalive_timeout 5s;
        upstream app { server a; } upstream own { server a; resolver 2.2.2.2; }""")
    app, own = (upstream.directive for upstream in model.upstreams())
    assert model.value(app, "resolver") == "1.1.1.1"
    assert model.value(own, "resolver") == "2.2.2.2"
    assert model.effective(app, "keepalive_timeout") == []  # the one of http is another directive


def test_lines_of_a_map_are_no_directives():
    model = http("map $x $y { proxy_read_timeout 1s; } server { }")
    assert model.effective(block(model, "map", "$x", "$y"), "proxy_read_timeout") == []


def test_worlds_are_separate():
    model = model_of("""
        stream { proxy_connect_timeout 1s; server { listen 1; } }
        http { proxy_connect_timeout 2s; server { } }
        mail { server { listen 2; protocol imap; } }""")
    assert model.time_ms(model.servers("stream")[0].directive, "proxy_connect_timeout") == 1000
    assert model.time_ms(model.servers("http")[0].directive, "proxy_connect_timeout") == 2000
    assert [len(model.servers(family)) for family in ("http", "stream", "mail")] == [1, 1, 1]


def test_main_level_is_a_level():
    model = model_of("error_log /x; events {} http { server { } }")
    assert model.value(model.servers()[0].directive, "error_log") == "/x"


def test_file_level_of_a_fragment_is_a_level():
    model = model_of("root /srv; location / { index a; }", context="server")
    assert model.value(place(model, "/").directive, "root") == "/srv"
    server = place(model, "/").server
    assert server is not None and server.directive is model.config.top
    assert server.listen_unknown and server.listens == ()


def test_simple_directive_is_asked_in_the_block_around_it():
    model = http("server { root /a; location / { root /b; try_files $uri =404; } }")
    assert model.value(block(model, "try_files", "$uri", "=404"), "root") == "/b"


def test_typed_values_and_their_defaults():
    model = http("""server { proxy_buffering OFF; proxy_read_timeout $t; proxy_next_upstream_tries 3;
        client_max_body_size 2m; proxy_send_timeout 1x; proxy_connect_timeout 1m 30s; }""")
    server = model.servers()[0].directive
    assert model.flag(server, "proxy_buffering", True) is False
    assert model.number(server, "proxy_next_upstream_tries") == 3
    assert model.size(server, "client_max_body_size") == 2 << 20
    assert model.time_ms(server, "proxy_connect_timeout", 1) == 60_000  # only the first argument counts
    assert model.time_ms(server, "proxy_read_timeout", 60_000) is None  # a variable
    assert model.time_ms(server, "proxy_send_timeout", 60_000) is None  # no time
    assert model.time_ms(server, "fastcgi_read_timeout", 60_000) == 60_000
    assert model.time_ms(server, "fastcgi_read_timeout") is None


def test_value_of_a_repeated_scalar_is_the_first():
    model = http("server { root /first; root /second; }")
    assert model.value(model.servers()[0].directive, "root") == "/first"


def test_shared_snippet_is_judged_where_it_is_included():
    model = http(
        "server { proxy_read_timeout 1s; include s.conf; } server { proxy_read_timeout 2s; include s.conf; }",
        files={"s.conf": "location / { proxy_buffering off; }"},
    )
    assert [model.time_ms(each.directive, "proxy_read_timeout") for each in model.locations] == [1000, 2000]


def test_family_of_blocks_and_of_data():
    model = model_of(
        "http { map $a $b { x y; } upstream u { server a; } } stream { upstream u { server a:1; } }"
    )
    assert family_of(block(model, "http")) == "http"
    assert family_of(block(model, "x", "y")) == "http"
    assert [family_of(each) for each in model.config.named("upstream")] == ["http", "stream"]
    assert family_of(model.config.top) == "main"


def test_enclosing_is_the_block_itself_or_one_around_it():
    model = http("server { location / { if ($a) { set $b 1; } } } upstream u { server a; }")
    location = place(model, "/").directive
    assert enclosing(block(model, "set", "$b", "1"), "location") is location
    assert enclosing(location, "location") is location
    assert enclosing(location, "upstream") is None
    assert enclosing(block(model, "server", "a"), "server") is None  # a line of a group is no block
