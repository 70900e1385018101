"""Locations and the search for them."""

from __future__ import annotations

import pytest
from model_support import http, place

from nginxaudit.model.location import read_modifier
from nginxaudit.model.regex import matches, names
from tests.support.clock import within


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["/x"], ("", "/x")),
        (["=", "/x"], ("=", "/x")),
        (["=/x"], ("=", "/x")),
        (["^~", "/x"], ("^~", "/x")),
        (["^~/x"], ("^~", "/x")),
        (["~", "^/x"], ("~", "^/x")),
        (["~^/x"], ("~", "^/x")),
        (["~*", "x$"], ("~*", "x$")),
        (["~*x$"], ("~*", "x$")),
        (["@named"], ("@", "@named")),
        (["!", "/x"], ("!", "/x")),
        ([], ("", "")),
    ],
)
def test_modifier_with_and_without_space(args, expected):
    assert read_modifier(args) == expected


def _server(text):
    return http(f"server {{ {text} }}").servers()[0]


def _chosen(text, uri):
    found = _server(text).match(uri)
    return None if found.location is None else found.location.label


def test_exact_beats_everything():
    text = "location = /a { } location ^~ /a { } location ~ a { }"
    assert _chosen(text, "/a") == "location = /a"
    assert _chosen(text, "/ab") == "location ^~ /a"


def test_longest_prefix_then_expressions_in_order():
    text = "location / { } location /ab { } location ~ x$ { } location ~* X$ { }"
    assert _chosen(text, "/abc") == "location /ab"
    assert _chosen(text, "/abx") == "location ~ x$"
    assert _chosen(text, "/abX") == "location ~* X$"


def test_noregex_holds_for_the_longest_prefix_only():
    text = "location ^~ /a { } location /a/b { } location ~ x { }"
    assert _chosen(text, "/a/x") == "location ^~ /a"
    assert _chosen(text, "/a/b/x") == "location ~ x"


def test_nested_expressions_come_before_outer_ones():
    text = "location /a { location ~ y { } } location ~ x { }"
    assert _chosen(text, "/a/xy") == "location ~ y"
    assert _chosen(text, "/a/x") == "location ~ x"


def test_expression_with_locations_inside():
    text = "location ~ ^/a { location ~ b$ { } }"
    assert _chosen(text, "/a/b") == "location ~ b$"
    assert _chosen(text, "/a/c") == "location ~ ^/a"


def test_nothing_matches():
    assert _chosen("location /a { } location @named { }", "/b") is None


def test_named_locations_are_not_searched_but_known():
    server = _server("location @a { } location @b { }")
    assert server.match("@a").location is None
    assert list(server.named_locations) == ["@a", "@b"]


@pytest.mark.parametrize(
    ("body", "redirects"),
    [
        ("proxy_pass http://x;", True),
        ("fastcgi_pass x:1;", True),
        ("uwsgi_pass $x;", False),
        ("tunnel_pass;", False),
        ("root /x;", False),
        ("if ($a) { proxy_pass http://x; }", False),
    ],
)
def test_missing_slash_is_redirected_where_requests_are_passed_on(body, redirects):
    found = _server(f"location /a/ {{ {body} }}").match("/a")
    assert found.redirect is redirects
    assert (found.location is not None) is redirects


def test_location_with_the_very_name_is_not_redirected():
    found = _server("location /a/ { proxy_pass http://x; } location /a { }").match("/a")
    assert not found.redirect
    assert found.location.pattern == "/a"


def test_answer_after_an_expression_nobody_can_judge_is_uncertain():
    server = _server('location / { } location ~ "a{,3}" { } location ^~ /safe { }')
    assert not server.match("/x").certain
    assert server.match("/safe/x").certain


def test_structure():
    model = http("server { location /a { location /a/b { location ~ c { } } } } server { location /d { } }")
    first, second = model.servers()
    assert [each.pattern for each in first.all_locations()] == ["/a", "/a/b", "c"]
    assert place(model, "c").parent is place(model, "/a/b")
    assert place(model, "c").server is first
    assert place(model, "/d").server is second
    assert model.location_of(place(model, "c").directive) is place(model, "c")
    assert model.server_of(place(model, "c").directive) is first
    assert [each.pattern for each in model.locations] == ["/a", "/a/b", "c", "/d"]


def test_non_ascii_uri_is_matched_by_bytes():
    assert _chosen('location ~ "^/.{2}$" { }', "/é") == "location ~ ^/.{2}$"
    assert _chosen("location ~ ^/.$ { }", "/é") is None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(", "("),
        (r"a{,3}", "a"),  # literal or not, by the version of PCRE
        (r"^(a+)+$", "a" * 60 + "!"),
        (r"^(\w*\s?)*$", "a" * 60 + "!"),
    ],
)
def test_expressions_that_are_not_guessed(pattern, text):
    with within(5):
        assert matches(pattern, text) is None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^/(?<a>\w+)$", "/x"),
        (r"^/(?'a'\w+)$", "/x"),
        (r"^/(?P<a>\w+)(?P=a)$", "/xx"),
        (r"^(?>a+)b", "aab"),
        (r"^a++b", "aab"),
        (r"(?<=a)b(?<!c)", "ab"),
        (r"(?i)AB", "ab"),
        (r"\\Q", "\\Q"),
        (r"\.php$", "a.php"),
        (r"\Qa.\E[[:alpha:]]\z", "a.b"),
        (r"(?|a|b)\h", "b "),
        (r"^(\((?:a|(?1))*\))$", "((a)a)"),
    ],
)
def test_expressions_are_tried_as_nginx_tries_them(pattern, text):
    assert matches(pattern, text)


def test_names_of_groups():
    assert names(r"(?<a>x)(?P<b>y)(?'c'z)(?<=d)(?:e)(f)") == ["a", "b", "c"]
