"""Who passes to whom."""

from __future__ import annotations

import pytest
from model_support import group, http, model_of, place

from nginxaudit.model.passes import split_authority


def _pass(target, before="", name="proxy_pass", groups="upstream app { server 10.0.0.1; }"):
    model = http(f"{groups} {before} server {{ location / {{ {name} {target}; }} }}")
    (each,) = model.passes
    return each


@pytest.mark.parametrize(
    ("target", "kind", "scheme", "host", "port", "path"),
    [
        ("http://app", "upstream", "http", "app", 80, None),
        ("HTTPS://APP/x", "upstream", "https", "app", 443, "/x"),
        ("http://1.2.3.4:8080/", "address", "http", "1.2.3.4", 8080, "/"),
        ("http://[0::1]/a:b", "address", "http", "::1", 80, "/a:b"),
        ("http://example.com?x=/y", "hostname", "http", "example.com", 80, "?x=/y"),
        ("http://unix:/run/a.sock:/uri", "unix", "http", "/run/a.sock", None, "/uri"),
        ("http://unix:/run/a.sock", "unix", "http", "/run/a.sock", None, None),
        ("app", "invalid", "", "", None, None),
        ("ws://app", "invalid", "", "", None, None),
        ("http://app:x", "invalid", "", "", None, None),
    ],
)
def test_literal_proxy_targets(target, kind, scheme, host, port, path):
    each = _pass(target)
    assert (each.target_kind, each.scheme, each.host, each.port, each.path) == (
        kind,
        scheme,
        host,
        port,
        path,
    )
    assert not each.runtime
    assert each.complete
    assert bool(each.target.reason) is (kind == "invalid")


@pytest.mark.parametrize(
    ("name", "target", "kind"),
    [
        ("grpc_pass", "grpcs://app", "upstream"),
        ("grpc_pass", "app", "upstream"),
        ("grpc_pass", "http://app", "invalid"),
        ("uwsgi_pass", "suwsgi://app", "upstream"),
        ("uwsgi_pass", "app", "upstream"),
        ("fastcgi_pass", "app", "upstream"),
        ("fastcgi_pass", "unix:/a", "unix"),
        ("fastcgi_pass", "http://app", "invalid"),
        ("scgi_pass", "1.2.3.4:1", "address"),
        ("memcached_pass", "app", "upstream"),
        ("memcached_pass", "$app:1", "hostname"),  # it knows no variables
        ("tunnel_pass", "app", "upstream"),
    ],
)
def test_other_protocols(name, target, kind):
    each = _pass(target, name=name)
    assert each.target_kind == kind
    assert each.protocol == name.removesuffix("_pass")


def test_tunnel_without_argument_goes_where_the_client_says():
    each = _pass("", name="tunnel_pass")
    assert (each.target_kind, each.complete) == ("variable", False)


def test_port_beside_a_group_still_names_the_group():
    each = _pass("http://app:8080")
    assert each.upstream is not None
    assert each.target.explicit_port


def test_tls_is_known_from_the_scheme():
    assert _pass("https://app").target.tls
    assert not _pass("http://app").target.tls


def test_place_of_a_pass():
    model = http("""upstream app { server a; }
        server { location /a { proxy_pass http://app; if ($x) { proxy_pass http://app; }
            limit_except GET { proxy_pass http://app; } } }""")
    location = place(model, "/a")
    assert [str(each.scope.name) for each in model.passes] == ["location", "if", "limit_except"]
    assert {each.location for each in model.passes} == {location}
    assert {each.server for each in model.passes} == {model.servers()[0]}
    assert model.passes_in(location.directive) == model.passes[:1]
    assert model.users(group(model)) == tuple(each.scope for each in model.passes)


def test_stream_and_http_do_not_meet():
    model = model_of("""http { upstream app { server a; } server { location / { proxy_pass http://other; } } }
        stream { upstream other { server a:1; } server { listen 1; proxy_pass other; }
                 server { listen 2; proxy_pass app:5; } }""")
    http_pass, to_group, to_name = model.passes
    assert http_pass.target_kind == "hostname"
    assert to_group.upstream is group(model, "other", "stream")
    assert to_group.protocol == "stream"
    assert to_name.target_kind == "hostname"
    assert model.passes_to(group(model)) == ()


def test_map_lines_called_like_a_pass_are_none():
    model = http("map $a $b { proxy_pass http://app; } upstream app { server a; }")
    assert model.passes == ()


def test_variable_after_a_constant_host():
    each = _pass("http://app$request_uri")
    assert (each.target_kind, each.path, each.runtime, each.complete) == (
        "upstream",
        "$request_uri",
        True,
        True,
    )
    each = _pass("http://example.com/$1")
    assert (each.target_kind, each.host, each.runtime) == ("hostname", "example.com", True)


def test_constant_host_with_port_misses_the_group_at_run_time():
    each = _pass("http://app:80/$1")
    assert (each.target_kind, each.upstream, each.port) == ("hostname", None, 80)


def test_values_of_a_map_are_candidates():
    before = (
        "upstream b { server x; } map $host $backend { default app; a.com B; c.com 1.2.3.4; d.com other; }"
    )
    each = _pass("http://$backend/x", before)
    assert each.target_kind == "variable"
    assert each.complete
    found = {candidate.text: candidate.target.kind for candidate in each.candidates}
    assert found == {
        "http://app": "upstream",
        "http://B": "upstream",
        "http://1.2.3.4": "address",
        "http://other": "hostname",
    }
    assert {upstream.key for upstream in each.upstreams} == {"app", "b"}
    assert {target.path for target in each.targets} == {"/x"}


def test_whole_url_in_a_variable():
    each = _pass("$url", "map $host $url { default http://app/a; x https://app; }")
    assert {(target.scheme, target.path) for target in each.targets} == {("http", "/a"), ("https", None)}
    assert {upstream.key for upstream in each.upstreams} == {"app"}


def test_empty_value_is_an_invalid_candidate():
    each = _pass("http://$b", "map $host $b { a app; }")
    assert {candidate.target.kind for candidate in each.candidates} == {"invalid", "upstream"}


def test_scheme_of_the_request_is_one_of_two():
    each = _pass("$scheme://app")
    assert each.complete
    assert {target.scheme for target in each.targets} == {"http", "https"}


@pytest.mark.parametrize(
    "target", ["http:/$uri", "http://$host", "http://$1", "http://$http_x_backend:80", "http://app-$arg_x"]
)
def test_targets_from_the_request_are_unknown(target):
    each = _pass(target)
    assert (each.target_kind, each.candidates, each.complete) == ("variable", (), False)


def test_known_and_unknown_values_together():
    each = _pass("http://$b", "map $host $b { default $arg_x; a app; }")
    assert [upstream.key for upstream in each.upstreams] == ["app"]
    assert not each.complete


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://$a/b$c", ("http://$a", "/b$c")),
        ("http://app$request_uri", ("http://app", "$request_uri")),
        ("http://app${uri}x", ("http://app", "${uri}x")),
        ("http://app$is_args$args", ("http://app", "$is_args$args")),
        ("http://app?$args", ("http://app", "?$args")),
        ("$scheme://$host:$port/x", ("$scheme://$host:$port", "/x")),
        ("$url", ("$url", None)),
        ("unix:/run/$app.sock", ("unix:/run/$app.sock", None)),
        ("http://$host$uri_suffix", ("http://$host$uri_suffix", None)),
    ],
)
def test_end_of_the_host(text, expected):
    assert split_authority(text) == expected


@pytest.mark.parametrize(
    ("text", "any_group"),
    [
        ("server { location / { proxy_pass http://app; } }", False),
        ("server { location / { proxy_pass http://$host; } }", True),
        ("map $a $b { default app; } server { location / { proxy_pass http://$b; } }", False),
        ("server { location / { content_by_lua_block { x() } } }", True),
        ("server { location / { js_content m.f; } }", True),
        ("js_import m from m.js; server { }", False),
        ("", False),
    ],
)
def test_whether_any_group_may_be_reached(text, any_group):
    model = http(f"upstream app {{ server a; }} {text}")
    assert model.may_reach_any_upstream() is any_group
    assert not model.may_reach_any_upstream("stream")
    assert not model.may_reach_any_upstream("mail")
