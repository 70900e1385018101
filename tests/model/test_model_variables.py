"""Values that variables can have, and who defines them."""

from __future__ import annotations

import pytest
from model_support import block, http, model_of, place

from nginxaudit.model.variables import MAX_PRODUCT, references


def _values(text, before="", inside="", **kw):
    model = http(f"{before} server {{ {inside} location /here {{ }} }} server {{ set $elsewhere x; }}", **kw)
    found = model.possible_values(text, place(model, "/here").directive)
    return set(found.constants), found.complete


def test_text_without_variables():
    assert _values("plain") == ({"plain"}, True)


def test_set_in_the_same_server():
    assert _values("http://$a:${b}/", inside="set $a x; set $b 1; if ($c) { set $b 2; }") == (
        {"http://x:1/", "http://x:2/"},
        True,
    )


def test_set_of_another_server_does_not_count():
    assert _values("$elsewhere") == ({""}, True)
    assert _values("$elsewhere", inside="set $elsewhere y;") == ({"y"}, True)


def test_names_ignore_case():
    assert _values("$Abc", inside="set $aBC x;") == ({"x"}, True)


@pytest.mark.parametrize("text", ["$host", "$1", "$arg_x", "$unknown", "a$http_host"])
def test_request_and_unknown_variables(text):
    assert _values(text) == (set(), False)


def test_map_with_and_without_default():
    assert _values("$m", "map $host $m { a 1; b 2; }") == ({"1", "2", ""}, True)
    assert _values("$m", "map $host $m { hostnames; default 0; a 1; volatile; }") == ({"0", "1"}, True)


def test_chain_of_definitions():
    before = "map $host $m { default $n-a; } split_clients $ip $n { 50% x; * y; }"
    assert _values("$s", before, "set $s <$m>;") == ({"<x-a>", "<y-a>"}, True)


def test_unknown_part_of_a_map_keeps_the_known_ones():
    assert _values("$m", r"map $host $m { default app; ~^(.+)\.com $1; }") == ({"app"}, False)


def test_geo():
    assert _values("$g", "geo $g { default 0; 10.0.0.0/8 1; delete 10.1.0.0/16; proxy 1.1.1.1; }") == (
        {"0", "1"},
        True,
    )
    assert _values("$g", "geo $remote_addr $g { ranges; 1.1.1.1-1.1.1.2 a; }") == ({"a", ""}, True)


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ("50% a; * b;", {"a", "b"}),
        ("50% a; 50% b;", {"a", "b"}),
        ("33.33% a; 33.33% b; 33.34% c;", {"a", "b", "c"}),
        ("50% a;", {"a", ""}),
    ],
)
def test_split_clients(body, values):
    assert _values("$s", f"split_clients $ip $s {{ {body} }}") == (values, True)


def test_cycles_end():
    assert _values("$a", "map $x $a { default $b; } map $x $b { default $a; k v; }")[1] is False
    assert _values("$a", inside="set $a $a/x;")[1] is False


def test_product_is_bounded():
    lines = " ".join(f"k{n} v{n};" for n in range(9))
    before = f"map $x $a {{ default d; {lines} }} map $x $b {{ default d; {lines} }}"
    assert len(_values("$a", before)[0]) == 10
    assert MAX_PRODUCT < 100
    assert _values("$a$b", before) == (set(), False)


def test_doubling_chain_is_cut_short():
    before = (
        "".join(f"map $x $v{n} {{ default $v{n + 1}$v{n + 1}; }}" for n in range(60)) + "map $x $v60 { a b; }"
    )
    assert _values("$v0", before) == (set(), False)


def test_map_from_an_include():
    assert _values("$m", "map $host $m { include m; }", files={"m": "default a; b c;"}) == ({"a", "c"}, True)
    assert _values("$m", "map $host $m { default a; include missing; }") == ({"a"}, False)


def test_unread_include_may_set_variables():
    assert _values("$a", inside="set $a x; include missing;") == ({"x"}, False)
    assert _values("$elsewhere", inside="include missing;") == (set(), False)


def test_code_may_set_variables_but_not_those_of_a_map():
    lua = "access_by_lua_block { ngx.var.a = 1 }"
    assert _values("$a", inside=f"set $a x; {lua}") == ({"x"}, False)
    assert _values("$m", "map $host $m { default y; }", lua) == ({"y"}, True)


def test_values_of_other_modules_are_unknown():
    assert _values("$a", "perl_set $a f;") == (set(), False)
    assert _values("$a", inside="auth_request_set $a x;") == (set(), False)


def test_stream_has_its_own_variables():
    model = model_of("""
        stream { map $ssl_preread_server_name $b { default x; } server { listen 1; proxy_pass $b; } }
        http { map $host $b { default y; } server { } }""")
    server = model.servers("stream")[0].directive
    assert model.possible_values("$b", server).constants == {"x"}
    assert model.possible_values("$b", server, "http").constants == {"y"}


def test_definitions():
    model = http(r"""
        map $host $Mapped { ~^(?<in_map>a) 1; }
        geo $geo { default 0; } geo $arg_ip $geo2 { default 0; } split_clients $ip $split { * a; }
        perl_set $perl f; js_set $js f; js_var $jsvar; keyval $a $kv zone=z;
        geoip2 /db { $geoip2_country default=US country; }
        server { server_name ~^(?<sub>\w+)\.a$; set $Set 1; set_by_lua_block $lua { return 1 }
            rewrite ^/(?P<rew>a) /b; if ($uri ~ "(?'cond'x)") { auth_request_set $auth $upstream_status; }
            location ~ ^/(?<loc>a)$ { } location /(?<no>x) { } }
        log_format main $notdefined;""")
    found = model.variable_definitions()
    assert set(found) == {
        "mapped", "in_map", "geo", "geo2", "split", "perl", "js", "jsvar", "kv", "geoip2_country", "sub", "set",
        "lua", "rew", "cond", "auth", "loc",
    }  # fmt: skip
    assert found["set"] == [block(model, "set", "$Set", "1")]
    assert model.variable_definitions("stream") == {}


def test_every_definition_is_listed():
    model = http("map $a $v { default 1; } map $b $v { default 2; } server { set $v 3; }")
    assert [str(each.name) for each in model.variable_definitions()["v"]] == ["set", "map", "map"]


def test_references():
    assert [(each.name, each.start, each.end) for each in references("a$Bc-${d}e$12$$")] == [
        ("bc", 1, 4), ("d", 5, 9), ("1", 10, 12),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_chain_of_any_length():
    chain = "".join(f'set $v{n + 1} "$v{n}";' for n in range(5000))
    assert _values("$v5000", inside=f"set $v0 x; {chain}") == ({"x"}, True)
    maps = "".join(f"map $m{n} $m{n + 1} {{ default $m{n}; }}" for n in range(5000))
    assert _values("$m5000", before=f"map $uri $m0 {{ default x; }} {maps}") == ({"x"}, True)


def test_values_that_double_are_not_followed_for_ever():
    doubled = "".join(f'set $v{n + 1} "$v{n}$v{n}";' for n in range(200))
    assert _values("$v3", inside=f"set $v0 x; {doubled}") == ({"x" * 8}, True)
    assert _values("$v200", inside=f"set $v0 x; {doubled}") == (set(), False)


@pytest.mark.slow
def test_many_variables_with_many_values_are_not_all_remembered():
    lines = "".join(f"h{n} {'x' * 50}{n};" for n in range(2000))
    sets = "".join(f"set $v{n} $m;" for n in range(3000))
    model = http(f"map $host $m {{ {lines} }} server {{ {sets} location /here {{ }} }}")
    scope = place(model, "/here").directive
    found = [model.possible_values(f"$v{n}", scope) for n in range(3000)]
    assert sum(len(text) for values in set(found) for text in values.constants) < 1 << 26
