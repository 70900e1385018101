"""What the rules on retries, resolvers and connections claim, shown on a running nginx."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import Backend, ask, backends

pytestmark = [pytest.mark.live, nginx.live]


def _group(*lines: str) -> str:
    return f"upstream backend {{ {' '.join(lines)} }}\n"


def _server(port: int, location: str) -> str:
    return f"server {{ listen 127.0.0.1:{port}; {location} }}\n"


def _two(one: Backend | int, two: Backend | int, more: str = "") -> str:
    ports = [each if isinstance(each, int) else each.port for each in (one, two)]
    return _group(*(f"server 127.0.0.1:{port} {more};" for port in ports))


def test_without_retries_the_first_request_fails(tmp_path: Path) -> None:
    """next-upstream-off: the failure is counted, the request itself is lost."""
    port, dead = nginx.free_ports(2)
    with backends("alive") as (alive,):
        http = _two(dead, alive) + _server(
            port, "location / { proxy_pass http://backend; proxy_next_upstream off; }"
        )
        with nginx.running(tmp_path, http):
            statuses = [ask(port)[0] for _ in range(5)]
    assert statuses.count(502) == 1
    assert statuses.count(200) == 4


def test_one_bad_url_takes_every_server_out(tmp_path: Path) -> None:
    """next-upstream-5xx-poison: healthy URLs get 502 afterwards."""
    (port,) = nginx.free_ports(1)
    with backends("one", "two") as (one, two):
        http = _two(one, two) + _server(
            port, "location / { proxy_pass http://backend; proxy_next_upstream error timeout http_500; }"
        )
        with nginx.running(tmp_path, http):
            assert ask(port)[0] == 200
            one.status = two.status = 500
            for _ in range(2):
                ask(port, "/bad")
            one.status = two.status = 200
            assert ask(port, "/good")[0] == 502
    assert "no live upstreams" in (tmp_path / "error.log").read_text()


def test_three_failures_keep_the_group_alive(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    with backends("one", "two") as (one, two):
        http = _two(one, two, "max_fails=3") + _server(
            port, "location / { proxy_pass http://backend; proxy_next_upstream error timeout http_500; }"
        )
        with nginx.running(tmp_path, http):
            one.status = two.status = 500
            ask(port, "/bad")
            one.status = two.status = 200
            assert ask(port, "/good")[0] == 200


@pytest.mark.parametrize("name", ["proxy_connect_timeout", "proxy_read_timeout"])
def test_a_timeout_of_zero_fires_at_once(name: str, tmp_path: Path) -> None:
    """zero-timeout."""
    (port,) = nginx.free_ports(1)
    with backends("alive") as (alive,):
        http = _group(f"server 127.0.0.1:{alive.port};") + _server(
            port, f"location / {{ proxy_pass http://backend; {name} 0; }}"
        )
        with nginx.running(tmp_path, http):
            assert ask(port)[0] == 504


def test_a_primary_that_is_never_taken_out_hides_its_backup(tmp_path: Path) -> None:
    """unreachable-backup: max_fails=0 and no retries."""
    port, dead = nginx.free_ports(2)
    with backends("standby") as (standby,):
        group = _group(f"server 127.0.0.1:{dead} max_fails=0;", f"server 127.0.0.1:{standby.port} backup;")
        location = "location /off { proxy_pass http://backend; proxy_next_upstream off; } location /on { proxy_pass http://backend; }"
        with nginx.running(tmp_path, group + _server(port, location)):
            assert [ask(port, "/off")[0] for _ in range(3)] == [502, 502, 502]
            assert ask(port, "/on") == (200, "standby")


def test_a_name_without_resolver_is_502(tmp_path: Path) -> None:
    """missing-resolver: even where only the path is variable."""
    (port,) = nginx.free_ports(1)
    locations = (
        "location /a { set $api api.nginxaudit.invalid; proxy_pass http://$api; } "
        "location /b { proxy_pass http://api.nginxaudit.invalid$request_uri; }"
    )
    with nginx.running(tmp_path, _server(port, locations)):
        assert ask(port, "/a")[0] == 502
        assert ask(port, "/b")[0] == 502
    assert (tmp_path / "error.log").read_text().count("no resolver defined to resolve") == 2


def test_a_variable_that_names_a_group_needs_no_resolver(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    with backends("alive") as (alive,):
        http = _group(f"server 127.0.0.1:{alive.port};") + _server(
            port, "location / { set $group backend; proxy_pass http://$group; }"
        )
        with nginx.running(tmp_path, http):
            assert ask(port) == (200, "alive")


def test_a_variable_uses_the_addresses_of_a_static_pass(tmp_path: Path) -> None:
    """implicit-upstream-reuse: no resolver is asked for localhost, which another pass names."""
    (port,) = nginx.free_ports(1)
    with backends("alive") as (alive,):
        locations = (
            f"location /static {{ proxy_pass http://localhost:{alive.port}; }} "
            f"location /variable {{ set $api localhost:{alive.port}; proxy_pass http://$api; }} "
            "location /other { set $api localhost:1; proxy_pass http://$api; }"
        )
        with nginx.running(tmp_path, _server(port, locations)):
            assert ask(port, "/variable") == (200, "alive")
            assert ask(port, "/other")[0] == 502
    assert (tmp_path / "error.log").read_text().count("no resolver defined to resolve localhost") == 1


def _connections(tmp_path: Path, group: str, location: str) -> int:
    """Connections that ten requests take."""
    (port,) = nginx.free_ports(1)
    with backends("alive") as (alive,):
        text = group.replace("PORT", str(alive.port))
        http = text + _server(port, f"location / {{ proxy_pass http://backend; {location} }}")
        with nginx.running(tmp_path, http):
            for _ in range(10):
                assert ask(port) == (200, "alive")
        return alive.connections


_REUSE = 'proxy_http_version 1.1; proxy_set_header Connection "";'


def test_connections_are_used_again_only_with_http_1_1_and_no_connection_header(tmp_path: Path) -> None:
    """upstream-keepalive-ineffective; since 1.29.7 both are the default."""
    group = _group("server 127.0.0.1:PORT;", "keepalive 4;")
    (tmp_path / "reuse").mkdir()
    assert _connections(tmp_path / "reuse", group, _REUSE) == 1
    for number, location in enumerate(
        ("proxy_http_version 1.1; proxy_set_header Connection close;", "proxy_http_version 1.0;")
    ):
        directory = tmp_path / str(number)
        directory.mkdir()
        assert _connections(directory, group, location) == 10
    (tmp_path / "default").mkdir()
    expected = 1 if nginx.version() >= (1, 29, 7) else 10
    assert _connections(tmp_path / "default", group, "") == expected


def test_keepalive_before_the_method_is_lost(tmp_path: Path) -> None:
    """balancing-method-order; since 1.29.7 the order is free."""
    lost = 1 if nginx.version() >= (1, 29, 7) else 10
    for number, (lines, expected) in enumerate(
        (("keepalive 4; least_conn;", lost), ("least_conn; keepalive 4;", 1))
    ):
        directory = tmp_path / str(number)
        directory.mkdir()
        group = _group("server 127.0.0.1:PORT;", lines)
        assert _connections(directory, group, _REUSE) == expected


def test_a_constant_key_sends_everything_to_one_server(tmp_path: Path) -> None:
    """hash-constant-key."""
    (port,) = nginx.free_ports(1)
    with backends("one", "two") as (one, two):
        group = _group("hash app;", f"server 127.0.0.1:{one.port};", f"server 127.0.0.1:{two.port};")
        with nginx.running(tmp_path, group + _server(port, "location / { proxy_pass http://backend; }")):
            answers = {ask(port)[1] for _ in range(10)}
    assert len(answers) == 1


def test_a_request_that_comes_back_goes_round_until_connections_run_out(tmp_path: Path) -> None:
    """proxy-loop."""
    (port,) = nginx.free_ports(1)
    http = _server(port, f"location / {{ proxy_pass http://127.0.0.1:{port}; }}")
    with nginx.running(tmp_path, http):
        status = ask(port)[0]
    assert status in (500, 502, 504)
    assert "worker_connections are not enough" in (tmp_path / "error.log").read_text()


def test_a_timed_out_budget_allows_no_second_try(tmp_path: Path) -> None:
    """next-upstream-timeout-ineffective: the first server does not answer, the second is not asked."""
    (port,) = nginx.free_ports(1)
    with backends("alive") as (alive,):
        silent = _silent()
        try:
            group = _group(
                f"server 127.0.0.1:{silent.getsockname()[1]};", f"server 127.0.0.1:{alive.port} backup;"
            )
            location = (
                "location / { proxy_pass http://backend; proxy_read_timeout 1s; proxy_next_upstream_timeout 1s; } "
                "location /more { proxy_pass http://backend; proxy_read_timeout 1s; }"
            )
            with nginx.running(tmp_path, group + _server(port, location)):
                assert ask(port)[0] == 504
                assert alive.requests == 0
        finally:
            silent.close()


def _silent():  # type: ignore[no-untyped-def]
    """A socket that accepts connections, by the kernel, and never answers."""
    import socket

    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    found.listen(16)
    return found
