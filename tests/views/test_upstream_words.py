"""What ``upstreams`` says about one upstream."""

from __future__ import annotations

import pytest

from nginxaudit.views.graph.build import build_graph, single_points
from nginxaudit.views.upstreams import words
from tests.model.model_support import group, model_of

TWO = "server 10.0.0.1:80; server 10.0.0.2:80;"


def _model(body: str, location: str = "proxy_pass http://app;"):
    return model_of(f"http {{ upstream app {{ {body} }} server {{ location / {{ {location} }} }} }}")


@pytest.mark.parametrize(
    ("body", "method"),
    [
        ("", "round robin"),
        ("frobnicate on;", "round robin"),
        ("least_conn;", "least_conn"),
        ("hash $uri consistent;", "hash $uri consistent"),
        ("sticky cookie srv expires=1h;", "round robin, sticky cookie srv expires=1h"),
        ("least_conn; sticky;", "least_conn, sticky"),
        ("fair;", "fair (third-party module)"),
        ("jvm_route $cookie_id;", "jvm_route $cookie_id (third-party module)"),
        ("balancer_by_lua_file /b.lua;", "chosen by Lua (/b.lua)"),
        ("balancer_by_lua_block { return 1 }", "chosen by Lua"),
    ],
)
def test_the_method(body: str, method: str) -> None:
    assert words.method_of(group(_model(f"{body} {TWO}"))) == method


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("server a; server b backup;", "active-passive"),
        ("server a; server b; server c; server d backup;", "3 primaries, 1 backup"),
        ("server a; server b; server c backup; server d backup;", "2 primaries, 2 backups"),
        ("server a; server b; server d backup down;", "active-active"),
    ],
)
def test_primaries_and_backups_are_counted(body: str, kind: str) -> None:
    model = _model(body)
    assert words.kind_of(model.topology(group(model))) == kind


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("check;", "check: a probe every 30s; 5 failures in a row: unavailable; 2 successes: used again, no requests"),
        ("check interval=3000 rise=1 fall=4 default_down=false;", "every 3s; 4 failures in a row: unavailable; 1 success: used again"),
        ("", ""),
    ],
)  # fmt: skip
def test_checks_of_the_third_party_module(check: str, said: str) -> None:
    model = _model(f"{TWO} {check}")
    text = words.checks_of(group(model), model)
    assert said in text if said else not text


def test_checks_of_plus() -> None:
    model = _model(TWO, "proxy_pass http://app; health_check fails=3 interval=2s;")
    text = words.checks_of(group(model), model)
    assert text == "health_check: a probe every 2s; 3 failures in a row: unavailable; 1 success: used again"


def _hangs(body: str, location: str) -> tuple[str, ...]:
    model = _model(body, location)
    upstream = group(model)
    retries = [retry for each in model.passes_to(upstream) if (retry := model.retry(each))]
    return words.hangs_of(upstream, retries, model)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("", ["no answer for 60s (proxy_read_timeout, the default): only then it counts as a failure; then GET is retried on the next server, a POST gets 504", "3 servers that hang: 504 after 180s"]),
        ("proxy_read_timeout 5s; proxy_next_upstream error timeout non_idempotent;", ["no answer for 5s (proxy_read_timeout): only then", "POST as well", "504 after 15s"]),
        ("proxy_read_timeout 10s; proxy_next_upstream_timeout 15s;", ["2 servers that hang: 504 after 20s, then proxy_next_upstream_timeout 15s is over"]),
        ("proxy_read_timeout 10s; proxy_next_upstream_timeout 10s;", ["no other server is tried"]),
        ("proxy_read_timeout 10s; proxy_next_upstream_tries 2;", ["2 servers that hang: 504 after 20s"]),
        ("proxy_next_upstream error;", ["only then it counts as a failure; the client gets 504"]),
    ],
)  # fmt: skip
def test_a_server_that_never_answers(settings: str, said: list[str]) -> None:
    text = " | ".join(_hangs(f"{TWO} server 10.0.0.3:80;", f"{settings} proxy_pass http://app;"))
    assert all(words in text for words in said), text


def test_a_call_of_grpc_is_not_repeated() -> None:
    (text,) = _hangs(TWO, "grpc_next_upstream error timeout non_idempotent; grpc_pass grpc://app;")
    assert "grpc_read_timeout" in text
    assert "once sent it is not repeated" in text


def test_a_lone_server_and_max_fails_zero_count_nothing() -> None:
    (text,) = _hangs("server 10.0.0.1:80;", "proxy_pass http://app;")
    assert text == "no answer for 60s (proxy_read_timeout, the default); the client gets 504"
    assert "counts" not in " ".join(_hangs(TWO.replace(":80", ":80 max_fails=0"), "proxy_pass http://app;"))


def test_a_session_of_stream() -> None:
    model = model_of(f"stream {{ upstream app {{ {TWO} }} server {{ listen 1; proxy_pass app; }} }}")
    upstream = group(model, family="stream")
    (retry,) = [model.retry(each) for each in model.passes_to(upstream)]
    (text,) = words.hangs_of(upstream, [retry], model)
    assert "600s (proxy_timeout, the default)" in text
    assert "does not count" in text


def test_forbidden_is_tried_elsewhere_and_never_counts() -> None:
    model = _model(TWO, "proxy_next_upstream error http_403 http_500; proxy_pass http://app;")
    retry = model.retry(model.passes_to(group(model))[0])
    assert "or an answer 500 counts; 403 never" in words.failures_of(group(model), [retry])


@pytest.mark.parametrize(
    "server", ["127.0.0.1:80", "[::1]:80", "localhost:80", "unix:/run/a.sock", "0.0.0.1:80", "<backend>:80"]
)
def test_this_machine_and_placeholders_are_no_single_points(server: str) -> None:
    assert not list(single_points(build_graph(_model(f"server {server};"))))
    assert list(single_points(build_graph(_model("server backend:80;"))))
