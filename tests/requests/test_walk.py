"""What the walk says, without an nginx: ``tests/requests`` holds the same to a running one."""

import pytest

from nginxaudit.nginx import Target
from nginxaudit.request.branches import Oracle, explore
from nginxaudit.request.mapping import murmur2
from nginxaudit.request.records import Ask, World
from nginxaudit.request.walk import trace
from tests.model.model_support import http, model_of

FILES = World(files=frozenset({"/srv/index.html", "/srv/a.txt", "/srv/dir/b.php"}), complete=True)


def outcomes(text, target="/", world=FILES, **ask):
    model = http(f"server {{ listen 80; server_name x.example; root /srv;\n{text}\n}}")
    return trace(model, Ask(target, "x.example", **ask), world).outcomes


def one(*args, **kw):
    found = outcomes(*args, **kw)
    assert len(found) == 1
    return found[0]


def test_files_and_indexes():
    assert one("", "/a.txt").file == "/srv/a.txt"
    assert one("", "/").file == "/srv/index.html"
    assert one("", "/none").status == 404
    assert one("", "/dir/").status == 403
    assert one("", "/dir?x").redirect == "http://x.example/dir/?x"
    assert one("", "/a.txt", method="PUT").status == 405


def test_an_access_rule_is_lost_to_a_regex():
    text = r"location /private/ { deny all; } location ~ \.php$ { return 200 run; }"
    assert one(text, "/private/a").status == 403
    assert one(text, "/private/a.php").body == "run"


def test_rewrites_leave_access_rules_behind():
    assert one("location /a { deny all; rewrite . /a.txt last; } location = /a.txt { }", "/a").status == 200
    assert one("location /a { deny all; rewrite . /a.txt break; }", "/a").status == 403
    assert one("location /a { deny all; return 200 x; }", "/a").status == 200


def test_ten_rewrites_are_a_cycle():
    assert one("location / { rewrite ^ /x last; }", "/a").status == 500


def test_an_if_drops_try_files():
    text = "location / { set $x 1; if ($arg_a) { set $x 2; } try_files $uri /a.txt; }"
    assert one(text, "/none").file == "/srv/a.txt"
    assert one(text, "/none?a=1").status == 404


def test_internal_is_inherited_by_nested_locations():
    assert one("location /i/ { internal; location /i/n/ { return 200 x; } }", "/i/n/").status == 404


@pytest.mark.parametrize(
    ("target", "target_uri"),
    [
        ("/b/", "/b/x%20y?q=1"),
        ("/b", "/bx%20y?q=1"),
        ("", "/api//x%20y?q=1"),
        ("/v$uri", "/v/api/x y"),
        ("/v$arg_q", "/v1"),
    ],
)
def test_the_uri_that_a_backend_gets(target, target_uri):
    found = one(f"location /api/ {{ proxy_pass http://127.0.0.1:8080{target}; }}", "/api//x%20y?q=1")
    assert (found.passed, found.upstream_uri) == ("http://127.0.0.1:8080", target_uri)
    assert found.status is None


def test_headers_to_a_backend():
    text = "location / { proxy_pass http://127.0.0.1:8080; proxy_set_header X-A $arg_a; proxy_set_header Cookie ''; }"
    headers = (("Cookie", "s=1"), ("Accept", "*/*"), ("Connection", "close"))
    found = one(text, "/?a=1", headers=headers)
    assert found.upstream_headers == (("Host", "127.0.0.1:8080"), ("X-A", "1"), ("Accept", "*/*"))


def test_headers_to_a_client_depend_on_the_status():
    text = "add_header X-A a; add_header X-B b always; location /e { return 404; } location /o { add_header X-C c; }"
    assert [name for name, _ in one(text, "/a.txt").headers] == ["Content-Type", "X-A", "X-B"]
    assert [name for name, _ in one(text, "/e").headers] == ["Content-Type", "X-B"]


def test_error_pages():
    assert one("error_page 404 /a.txt;", "/none").status == 404
    assert one("error_page 404 =200 /a.txt;", "/none").status == 200
    assert one("error_page 404 = /dir;", "/none").redirect == "http://x.example/dir/"
    assert one("error_page 404 = @x; location @x { return 418; }", "/none").status == 418
    assert one("error_page 404 http://e.example/;", "/none").status == 302
    assert one("error_page 404 @none;", "/none").status == 500


def test_passwords_and_satisfy():
    text = "satisfy any; allow 10.0.0.0/8; deny all; auth_basic x; auth_basic_user_file f; location / { return 200 in; } location /f { }"
    assert one(text, "/f", client="10.1.1.1").status == 404
    assert one(text, "/f", client="192.0.2.1").status == 401
    assert one(text, "/f", client="192.0.2.1", world=World(complete=True, user="joe")).status == 404


def test_a_subrequest_decides():
    text = "location / { auth_request /auth; } location = /auth { internal; if ($arg_no) { return 403; } return 204; }"
    assert one(text, "/a.txt").status == 200
    proxied = "location / { auth_request /auth; } location = /auth { proxy_pass http://127.0.0.1:1; }"
    assert {each.status for each in outcomes(proxied, "/a.txt")} == {200, 401, 403, 500}


def test_what_cannot_be_known_branches():
    found = outcomes(
        "location / { try_files $uri /index.php; } location = /index.php { return 200 php; }", "/x", World()
    )
    assert [each.when for each in found] == [("/srv/x is a file",), ("/srv/x is not a file",)]
    assert [each.file or each.body for each in found] == ["/srv/x", "php"]


def test_an_unknown_client_is_a_branch_only_where_it_decides():
    assert one("location / { deny all; }").status == 403
    assert one("location / { allow all; }").status == 200
    found = outcomes("location / { allow 10.0.0.0/8; deny all; }")
    assert [each.status for each in found] == [403, 200]


def test_code_is_unknown_from_here_on():
    for text in (
        "content_by_lua_block { x }",
        "access_by_lua_block { x }",
        "rewrite_by_lua_block { x }",
        "js_content a.b;",
    ):
        found = one(f"location / {{ {text} }}")
        assert found.unknown
        assert found.status is None


def test_unknown_values_branch_over_what_a_map_can_give():
    text = "map $geoip_country_code $to { default /a.txt; DE /de; }\nserver { listen 80; return 302 $to; }"
    found = trace(http(text), Ask("/")).outcomes
    assert [each.redirect for each in found] == ["$to"]
    text = text.replace("return 302 $to", 'if ($to = /de) { return 403; } return 200 "ok"')
    found = trace(http(text), Ask("/")).outcomes
    assert [(each.when, each.status) for each in found] == [
        (('$to is "/de"',), 403),
        (('$to is "/a.txt"',), 200),
    ]


def test_tls_and_sockets():
    text = (
        "server { listen 443 ssl; server_name a.example; return 200 a; } server { listen 80; return 200 b; }"
    )
    model = http(text)
    assert trace(model, Ask("/", "a.example", tls=True, port=443, sni="a.example")).outcomes[0].body == "a"
    assert trace(model, Ask("/", "a.example", port=443)).outcomes[0].status == 400
    assert trace(model, Ask("/", "a.example", tls=True, port=80)).outcomes[0].closed
    assert trace(model, Ask("/", "a.example", port=81)).outcomes[0].closed


def test_an_address_that_is_not_known_branches_where_servers_differ():
    text = "server { listen 10.0.0.1:80; return 200 a; } server { listen 80; return 200 b; }"
    assert {each.body for each in trace(http(text), Ask("/")).outcomes} == {"a", "b"}
    assert trace(http(text), Ask("/", address="10.0.0.1")).outcomes[0].body == "a"
    assert trace(http(text), Ask("/", address="10.0.0.2")).outcomes[0].body == "b"


def test_the_hash_of_split_clients():
    assert murmur2(b"") == 0
    text = 'split_clients "$arg_x" $v { 50% a; * b; }\nserver { listen 80; return 200 $v; }'
    assert {trace(http(text), Ask(f"/?x={x}")).outcomes[0].body for x in range(20)} == {"a", "b"}


def test_explore_takes_every_way_once():
    def walk(oracle: Oracle) -> tuple[bool, ...]:
        first, _ = oracle.ask("a", ((True, "a"), (False, "not a")), 0)
        if not first:
            return (first,)
        second, _ = oracle.ask("b", ((True, "b"), (False, "not b")), 0)
        assert oracle.ask("a", (), 0) == (True, None)
        return (first, second)

    found, more = explore(walk)
    assert [each for each, _, _ in found] == [(True, True), (True, False), (False,)]
    assert not more
    assert explore(walk, 2)[1]


def test_the_last_if_that_holds_decides_about_the_backend():
    text = "location / { if ($arg_a) { proxy_pass http://127.0.0.1:1; } if ($arg_b) { set $x 1; } }"
    assert one(text, "/?a=1").passed == "http://127.0.0.1:1"
    assert one(text, "/?a=1&b=1").status == 500


def test_a_large_body():
    assert (
        one(
            "client_max_body_size 5; location /b { client_max_body_size 0; return 204; }",
            "/a",
            method="POST",
            body=6,
        ).status
        == 413
    )
    assert (
        one(
            "client_max_body_size 5; location /b { client_max_body_size 0; return 204; }",
            "/b",
            method="POST",
            body=6,
        ).status
        == 204
    )


def test_a_444_of_a_subrequest_closes_the_connection():
    assert one("location / { auth_request /auth; } location /auth { return 444; }").closed


def test_limit_except_keeps_the_rewrites_of_the_location_out():
    text = "location / { limit_except GET { deny all; } return 200 x; }"
    assert one(text, "/").body == "x"
    assert one(text, "/", method="POST").status == 403
    assert one(text, "/", method="BREW").status == 403


def test_directives_of_unknown_modules_end_the_walk():
    assert (
        one("location / { frobnicate on; return 200 x; }", "/").body == "x"
    )  # the rewrite phase is before it
    found = one("location / { frobnicate on; }", "/a.txt")
    assert found.unknown == "the module of frobnicate is not known: it may decide"
    assert one("brotli on;", "/a.txt").status == 200


def test_the_charset():
    assert dict(one("charset utf-8;", "/a.txt").headers)["Content-Type"] == "text/plain; charset=utf-8"
    assert dict(one("charset utf-8;", "/dir").headers)["Content-Type"] == "text/html"
    assert dict(one("charset utf-8;", "/none").headers)["Content-Type"] == "text/html; charset=utf-8"


STREAM = """events {}
stream {
    map $ssl_preread_server_name $to { hostnames; .a.example a; default b; }
    upstream a { server 10.0.0.1:443; }
    upstream b { server 10.0.0.2:443; }
    server { listen 443; ssl_preread on; proxy_pass $to; }
    server { listen 53 udp; proxy_pass 10.0.0.3:53; }
    server { listen 5432; allow 10.0.0.0/8; deny all; proxy_pass a; }
}
"""


def connection(protocol, port, **ask):
    (found,) = trace(model_of(STREAM), Ask("", None, protocol, port=port, protocol=protocol, **ask)).outcomes
    return found


PREREAD = """stream {
    map $ssl_preread_server_name $by_name { www.a.example 10.0.0.1:1; default 10.0.0.2:1; }
    map $ssl_preread_protocol $by_kind { "" 10.0.0.3:22; default 10.0.0.4:443; }
    map $ssl_preread_alpn_protocols $by_alpn { h2 10.0.0.5:1; default 10.0.0.6:1; }
    server { listen 1; proxy_pass $by_name; }
    server { listen 2; ssl_preread on; proxy_pass $by_kind; }
    server { listen 3; ssl_preread on; proxy_pass $by_alpn; }
    server { listen 4; set $early $by_name; ssl_preread on; proxy_pass $by_name; }
    server { listen 5; ssl_preread on; proxy_pass $ssl_preread_server_name:443; }
    server { listen 6 ssl; ssl_certificate a; ssl_certificate_key a; ssl_alpn h2; return "$ssl_server_name|$ssl_preread_server_name"; }
    server { listen 7; return early; proxy_pass 10.0.0.9:1; }
    server { listen 8 proxy_protocol; set_real_ip_from 192.0.2.0/24; allow 10.0.0.0/8; deny all; return $remote_addr; }
    server { listen 9; ssl_preread on; deny all; proxy_pass 10.0.0.1:1; }
    server { listen 9; server_name www.a.example; allow all; proxy_pass 10.0.0.2:1; }
    server { listen 10; ssl_preread on; proxy_pass 10.0.0.1:1; }
    server { listen 10; server_name ~^(.*)\\.a\\.example$; return $1; }
    server { listen 11; pass 127.0.0.1:7; }
    server { listen 12; pass 127.0.0.1:70; }
}
"""


@pytest.mark.parametrize(
    ("protocol", "port", "ask", "wanted"),
    [
        ("tls", 1, {"sni": "www.a.example"}, "10.0.0.2:1"),  # no ssl_preread: no name
        ("tls", 2, {"sni": "x"}, "10.0.0.4:443"),
        ("tcp", 2, {}, "10.0.0.3:22"),
        ("tls", 3, {"alpn": ("h2",)}, "10.0.0.5:1"),
        ("tls", 3, {"alpn": ("h2", "http/1.1")}, "10.0.0.6:1"),
        ("tcp", 3, {}, "10.0.0.6:1"),
        (
            "tls",
            4,
            {"sni": "www.a.example"},
            "10.0.0.2:1",
        ),  # set runs before the name is read, and its value stays
        ("tls", 5, {"sni": "x.example"}, None),  # no resolver
        ("tls", 6, {"sni": "x", "alpn": ("h2",)}, "x|"),
        ("tls", 6, {"sni": "x", "alpn": ("http/1.1",)}, None),
        ("tcp", 6, {}, None),  # plain bytes where TLS is expected
        ("tcp", 7, {}, "10.0.0.9:1"),  # the last of several handlers counts
        ("tcp", 8, {"client": "192.0.2.1", "proxied": "10.1.1.1"}, "10.1.1.1"),
        ("tcp", 8, {"client": "198.51.100.1", "proxied": "10.1.1.1"}, None),
        ("tcp", 8, {"client": "10.0.0.1", "proxied": ""}, None),  # no header
        (
            "tls",
            9,
            {"client": "10.0.0.1", "sni": "www.a.example"},
            None,
        ),  # access is that of the default server
        ("tls", 10, {"sni": "shop.a.example"}, "shop"),
        ("tls", 10, {"sni": "bad..a.example"}, "10.0.0.1:1"),
        ("tcp", 11, {}, "127.0.0.1:7"),
        ("tcp", 12, {}, None),  # nothing listens there
    ],
)
def test_what_is_known_when(protocol, port, ask, wanted):
    request = Ask("", None, protocol=protocol, tls=protocol == "tls", address="127.0.0.1", port=port, **ask)
    (found,) = trace(model_of(PREREAD), request).outcomes
    assert (found.passed if found.passed is not None else found.body) == wanted
    assert found.closed == (wanted is None)


def test_what_a_connection_leaves_open():
    """Protocols that are not known are a branch, and a version that does not matter is none."""
    asks = {port: Ask("", None, protocol="tls", tls=True, port=port) for port in (2, 3, 6)}
    found = {port: trace(model_of(PREREAD), ask).outcomes for port, ask in asks.items()}
    assert [each.passed for each in found[2]] == ["10.0.0.4:443"]
    assert {each.passed for each in found[3]} == {"10.0.0.5:1", "10.0.0.6:1"}
    assert [each.closed for each in found[6]] == [False, True]


def test_connections_of_stream():
    assert connection("tls", 443, tls=True, sni="www.a.example").upstream == "a"
    assert connection("tls", 443, tls=True, sni="other.example").upstream == "b"
    assert connection("udp", 53).passed == "10.0.0.3:53"
    assert connection("tcp", 53).closed
    assert connection("tcp", 5432, client="192.0.2.1").closed
    assert connection("tcp", 5432, client="10.0.0.9").upstream == "a"


def test_an_empty_host_header():
    text = "server { listen 80; location / { proxy_pass http://127.0.0.1:1; proxy_set_header Host $arg_h; } }"
    for version, hosts in (((1, 31, 3), []), ((1, 31, 4), ["127.0.0.1:1"])):
        (found,) = trace(http(text, target=Target(version)), Ask("/")).outcomes
        assert [text for name, text in found.upstream_headers if name == "Host"] == hosts


def test_a_name_with_an_empty_label_is_not_looked_up():
    text = "resolver 127.0.0.1; location / { proxy_pass http://$arg_a.internal; }"
    assert one(text, "/x").status == 502
    assert one(text, "/x?a=b").passed == "http://b.internal"
    assert one("resolver 127.0.0.1; location / { proxy_pass http://$arg_a:81; }", "/?a=b.").status is None


def test_the_type_of_the_answer():
    """A map of it is known for what nginx sends itself; before there is an answer the type is empty."""
    text = """map $sent_http_content_type $frame { ~*text/html DENY; default ''; }
        map $sent_http_content_type $age { default off; ~image/ 1h; }
        server { listen 80; root /srv; charset utf-8; default_type image/x;
            add_header X-Frame-Options $frame always; expires $age;
            location /go { return 301 /x; } location /early { if ($sent_http_content_type = '') { return 204; } }
            location /app { proxy_pass http://10.0.0.1; } }"""
    world = World(files=frozenset({"/srv/a.html", "/srv/b"}), complete=True)

    def headers(target):
        (found,) = trace(http(text), Ask(target), world).outcomes
        return dict(found.headers)

    assert headers("/a.html") == {"Content-Type": "text/html; charset=utf-8", "X-Frame-Options": "DENY"}
    assert headers("/b") == {"Content-Type": "image/x", "Cache-Control": "max-age=3600"}
    assert headers("/go") == {"Content-Type": "text/html", "X-Frame-Options": "DENY"}
    assert headers("/early") == {}
    assert headers("/app") == {"Cache-Control": "by $age", "X-Frame-Options": "$frame"}


def test_a_request_variable_keeps_its_value_until_it_is_set():
    text = """
    if ($http_x_a = "") { set $http_x_a none; } if ($arg_a = "") { set $arg_a none; } if ($cookie_a = "") { set $cookie_a none; }
    location / { return 200 "$http_x_a $arg_a $cookie_a"; }"""
    assert one(text, "/?a=1", headers=(("X-A", "2"), ("Cookie", "a=3"))).body == "2 1 3"
    assert one(text, "/").body == "none none none"
    assert one("if ($uri ~ (?<arg_b>zz)) { } location / { return 200 [$arg_b]; }", "/?b=1").body == "[]"
