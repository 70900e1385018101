import pytest

from nginxaudit.request.uri import (
    BadTarget,
    escape_args,
    escape_uri,
    extension,
    parse_target,
    unescape_redirect,
)


@pytest.mark.parametrize(
    ("target", "uri", "args"),
    [
        ("/", "/", ""),
        ("/a/b?x=1", "/a/b", "x=1"),
        ("//a///b", "/a/b", ""),
        ("/a/./b/../c", "/a/c", ""),
        ("/a/..", "/", ""),
        ("/a/.", "/a/", ""),
        ("/%61%2Fb", "/a/b", ""),
        ("/a/%2e%2e/b", "/b", ""),
        ("/a%3Fb%23c%25", "/a?b#c%", ""),
        ("/a#b", "/a", ""),
        ("/a?b#c", "/a", "b"),
        ("/a?b?c", "/a", "b?c"),
        ("/...", "/...", ""),
        ("/..a/.b", "/..a/.b", ""),
        ("/%C3%A9", "/é", ""),
        ("http://x.example/a?b", "/a", "b"),
        ("http://x.example", "/", ""),
        ("http://x.example?b", "/", "b"),
    ],
)
def test_what_a_target_means(target, uri, args):
    found = parse_target(target)
    assert (found.uri, found.args) == (uri, args)


@pytest.mark.parametrize(
    "target",
    ["", "a", "*", "/..", "/a/../..", "/%2e%2e", "/%", "/%4", "/%zz", "/%00", "/a b", "/\t", "http://a*b/"],
)
def test_what_nginx_refuses(target):
    with pytest.raises(BadTarget):
        parse_target(target)


def test_slashes_stay_where_they_are_not_merged():
    assert parse_target("//a//b/../c", merge_slashes=False).uri == "//a//c"


def test_what_was_escaped_is_remembered():
    assert parse_target("/%61").quoted
    assert parse_target("/a%2Bb").plus
    assert not parse_target("/a?%61+").quoted
    assert not parse_target("/a?%61+").plus


def test_escaping():
    assert escape_uri("/a b?c#d%é+&") == "/a%20b%3Fc%23d%25%C3%A9+&"
    assert escape_args("a b&c+d;e?") == "a%20b%26c%2Bd%3Be%3F"
    assert unescape_redirect("/%41%20%2F?%41") == "/A%20/?%41"
    assert unescape_redirect("/%zz%4") == "/zz"


def test_extensions():
    assert extension("/a/b.tar.gz") == "gz"
    assert extension("/a.b/c") == ""
    assert extension("/.profile") == ""
    assert extension("/a/.b.c") == "c"
