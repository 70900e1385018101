"""Groups and uses out of configurations, and the reasons where there is nothing to simulate."""

from __future__ import annotations

import pytest

from nginxaudit.drill.reading import AUTO_WORKERS, subjects
from nginxaudit.drill.spec import Subject
from nginxaudit.nginx import Target
from tests.model.model_support import http, model_of


def _one(text: str, **more: object) -> Subject:
    found = subjects(http(text, **more))
    assert len(found) == 1
    return found[0]


def _why(group: str, location: str = "proxy_pass http://app;", **more: object) -> str | None:
    text = f"upstream app {{ {group} }} server {{ listen 80; location / {{ {location} }} }}"
    return _one(text, **more).why_not


def test_everything_that_matters_is_read() -> None:
    found = _one(
        """
        upstream app {
            zone app 64k;
            server 10.0.0.1:8080 weight=3 max_fails=2 fail_timeout=5s max_conns=7;
            server 10.0.0.2:8080 down;
            server 10.0.0.1:9090 backup;
            keepalive 8;
        }
        server {
            listen 80;
            server_name shop.example;
            proxy_connect_timeout 2s;
            location /api {
                proxy_pass https://app;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_next_upstream error http_503;
                proxy_next_upstream_tries 2;
                proxy_next_upstream_timeout 3s;
                proxy_read_timeout 500ms;
                proxy_request_buffering off;
            }
        }
        """
    )
    group, use = found.group, found.use
    assert group is not None and use is not None and found.why_not is None
    assert (found.upstream, found.location) == ("app", "shop.example location /api")
    first, second, third = group.servers
    assert (first.name, first.host, first.weight, first.max_fails) == ("10.0.0.1:8080", "10.0.0.1", 3, 2)
    assert (first.fail_timeout_s, first.max_conns) == (5, 7)
    assert second.down and third.backup and third.host == first.host
    assert group.zone and group.keepalive == 8 and group.method == "round_robin" and group.workers == 1
    assert use.conditions == {"error", "http_503"}
    assert (use.tries, use.budget, use.connect, use.send, use.read) == (2, 3000, 2000, 60_000, 500)
    assert use.tls and use.reuses and not use.buffered
    assert "proxy_connect_timeout" in use.written and "proxy_send_timeout" not in use.written


@pytest.mark.parametrize(
    ("line", "method"),
    [
        ("", "round_robin"), ("least_conn;", "least_conn"), ("ip_hash;", "ip_hash"), ("hash $uri;", "hash"),
        ("hash $uri consistent;", "consistent"), ("random;", "random"), ("random two least_conn;", "random_two"),
        ("least_time header;", "least_time"),
    ],
)  # fmt: skip
def test_methods(line: str, method: str) -> None:
    found = _one(
        f"upstream app {{ {line} server 10.0.0.1; }} server {{ location / {{ proxy_pass http://app; }} }}"
    )
    assert found.group is not None and found.group.method == method


@pytest.mark.parametrize(
    ("group", "location", "reason"),
    [
        ("server 10.0.0.1 backup;", "proxy_pass http://app;", "nginx refuses it"),
        ("server 10.0.0.1 weigth=3;", "proxy_pass http://app;", "nginx refuses its server 10.0.0.1"),
        ("server 10.0.0.1 down;", "proxy_pass http://app;", "all its servers are down"),
        ("server app.internal service=http resolve;", "proxy_pass http://app;", "come from somewhere else"),
        ("server 10.0.0.1; include missing.conf;", "proxy_pass http://app;", "could not be read"),
        ("server 10.0.0.1; fair;", "proxy_pass http://app;", 'method "fair" does is not known'),
        ("server 10.0.0.1;", "proxy_pass http://app; proxy_read_timeout soon;", "proxy_read_timeout"),
        ("server 10.0.0.1;", "proxy_pass http://app; proxy_connect_timeout soon;", "connect timeout"),
        ("server 10.0.0.1;", "return 204;", "nothing that was read passes requests"),
        ("hash $uri consistent; server 10.0.0.1 weight=9999; server 10.0.0.2 weight=2;", "proxy_pass http://app;", "ring"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_said(group: str, location: str, reason: str) -> None:
    assert reason in (_why(group, location) or "")


def test_least_time_needs_a_version_that_has_it() -> None:
    group = "least_time header; server 10.0.0.1;"
    assert "does not exist in nginx 1.28.0" in (_why(group, target=Target((1, 28, 0))) or "")
    assert _why(group, target=Target((1, 28, 0), "plus")) is None


def test_a_host_name_is_one_server_and_that_is_said() -> None:
    text = "upstream app { server app.internal resolve; zone z 1m; } server { location / { proxy_pass http://app; } }"
    group = _one(text).group
    assert group is not None and len(group.servers) == 1
    assert "a host name is taken for one server" in group.notes[0]


def test_connections_are_kept_by_default_since_1_29_7() -> None:
    text = "upstream app { server 10.0.0.1; } server { location / { proxy_pass http://app; } }"
    new, old = _one(text), _one(text, target=Target((1, 29, 6)))
    assert new.group is not None and new.use is not None and old.group is not None and old.use is not None
    assert (new.group.keepalive, new.use.reuses) == (32, True)
    assert (old.group.keepalive, old.use.reuses) == (0, False)


def test_stream_and_udp() -> None:
    model = model_of(
        "events {} worker_processes 3; stream { upstream dns { server 10.0.0.1:53; server 10.0.0.2:53; }"
        "server { listen 53 udp; proxy_pass dns; proxy_timeout 3s; proxy_next_upstream off; proxy_connect_timeout 1s; } }"
    )
    (found,) = subjects(model)
    assert found.group is not None and found.use is not None
    assert found.group.family == "stream" and found.group.workers == 3 and found.group.keepalive == 0
    assert found.use.udp and found.use.idle == 3000 and found.use.connect == 1000
    assert found.use.conditions == {"off"}


def test_other_protocols_have_their_own_settings() -> None:
    text = (
        "upstream app { server 10.0.0.1; keepalive 4; } server { location / { fastcgi_pass app; fastcgi_keep_conn on;"
        "fastcgi_read_timeout 4s; proxy_read_timeout 9s; } location /g { grpc_pass grpc://app; } }"
    )
    php, grpc = subjects(http(text))
    assert php.use is not None and grpc.use is not None
    assert (php.use.prefix, php.use.read, php.use.reuses) == ("fastcgi", 4000, True)
    assert (grpc.use.prefix, grpc.use.buffered, grpc.use.reuses) == ("grpc", False, True)


def test_every_location_is_a_use() -> None:
    text = (
        "upstream app { server 10.0.0.1; } server { location /a { proxy_pass http://app; }"
        "location /b { set $to app; proxy_pass http://$to; } }"
    )
    assert sorted(found.location for found in subjects(http(text))) == [
        "*:80 location /a",
        "*:80 location /b",
    ]


def test_a_site_without_its_nginx_conf_has_several_workers() -> None:
    text = (
        "upstream app { server 10.0.0.1; server 10.0.0.2; } server { location / { proxy_pass http://app; } }"
    )
    (alone,) = subjects(model_of(text, context="http"))
    (whole,) = subjects(model_of(f"events {{}} http {{ {text} }}"))
    assert alone.group is not None and whole.group is not None
    assert (alone.group.workers, whole.group.workers) == (AUTO_WORKERS, 1)
    assert any("nginx.conf is not there" in note for note in alone.group.notes)
    assert not whole.group.notes
