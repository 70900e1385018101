"""Who answers, and who does not any more: nginx's load balancing as the rules describe it."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import ask, backends

pytestmark = [pytest.mark.live, nginx.live]


def _http(port: int, group: str, location: str = "") -> str:
    return (
        f"upstream backend {{ {group} }}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://backend; {location} }} }}"
    )


def _answers(port: int, count: int) -> Counter[str]:
    return Counter(ask(port)[1] for _ in range(count))


def test_without_backup_the_standby_gets_half_of_the_traffic(tmp_path: Path) -> None:
    """active-passive-missing-backup: the page's "active-passive" configuration is active-active."""
    (port,) = nginx.free_ports(1)
    with backends("primary", "standby") as (primary, standby):
        group = "".join(
            f"server 127.0.0.1:{each.port} max_fails=3 fail_timeout=30s;" for each in (primary, standby)
        )
        with nginx.running(tmp_path, _http(port, group)):
            assert _answers(port, 20) == {"primary": 10, "standby": 10}


def test_with_backup_the_standby_waits_until_the_primary_dies(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    with backends("primary", "standby") as (primary, standby):
        group = f"server 127.0.0.1:{primary.port}; server 127.0.0.1:{standby.port} backup;"
        with nginx.running(tmp_path, _http(port, group)):
            assert _answers(port, 10) == {"primary": 10}
            primary.stop()
            assert _answers(port, 10) == {"standby": 10}


def test_several_backups_share_the_traffic(tmp_path: Path) -> None:
    """They are no chain: "the first available one in order" is a myth."""
    (port,) = nginx.free_ports(1)
    with backends("primary", "one", "two") as (primary, one, two):
        group = f"server 127.0.0.1:{primary.port}; server 127.0.0.1:{one.port} backup; server 127.0.0.1:{two.port} backup;"
        with nginx.running(tmp_path, _http(port, group)):
            primary.stop()
            assert _answers(port, 10) == {"one": 5, "two": 5}


def test_a_lone_server_is_never_taken_out(tmp_path: Path) -> None:
    """ignored-failure-parameters: max_fails and fail_timeout mean nothing in a group of one."""
    (port, dead) = nginx.free_ports(2)
    with nginx.running(tmp_path, _http(port, f"server 127.0.0.1:{dead} max_fails=1 fail_timeout=60s;")):
        assert [ask(port)[0] for _ in range(3)] == [502, 502, 502]
    log = (tmp_path / "error.log").read_text()
    assert log.count("connect() failed") == 3, "it is contacted every time"
    assert "no live upstreams" not in log


def test_beside_a_down_server_one_failure_blocks_the_only_live_one(tmp_path: Path) -> None:
    """lone-live-server: the group is not *single* to nginx, so the failure counts."""
    port, dead, down = nginx.free_ports(3)
    group = f"server 127.0.0.1:{dead}; server 127.0.0.1:{down} down;"
    with nginx.running(tmp_path, _http(port, group)):
        assert [ask(port)[0] for _ in range(3)] == [502, 502, 502]
    log = (tmp_path / "error.log").read_text()
    assert log.count("connect() failed") == 1
    assert log.count("no live upstreams") == 2, "blocked without being asked, although it may be back"


def test_max_fails_zero_keeps_the_only_live_one_in_use(tmp_path: Path) -> None:
    port, dead, down = nginx.free_ports(3)
    group = f"server 127.0.0.1:{dead} max_fails=0; server 127.0.0.1:{down} down;"
    with nginx.running(tmp_path, _http(port, group)):
        assert [ask(port)[0] for _ in range(3)] == [502, 502, 502]
    assert (tmp_path / "error.log").read_text().count("connect() failed") == 3


def test_a_stream_group_without_servers_closes_the_connection_at_once(tmp_path: Path) -> None:
    """all-servers-down and, after its one failure, lone-live-server: in stream there is no 502."""
    all_down, one_live, dead, down = nginx.free_ports(4)
    stream = (
        f"stream {{ upstream a {{ server 127.0.0.1:{down} down; }} "
        f"upstream b {{ server 127.0.0.1:{dead}; server 127.0.0.1:{down} down; }} "
        f"server {{ listen 127.0.0.1:{all_down}; proxy_pass a; }} "
        f"server {{ listen 127.0.0.1:{one_live}; proxy_pass b; }} }}"
    )
    with nginx.running(tmp_path, "", main=stream):
        for port in (all_down, one_live, one_live):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                assert client.recv(1) == b""
    log = (tmp_path / "error.log").read_text()
    assert log.count("connect() failed") == 1
    assert log.count("no live upstreams") == 2


def test_backup_before_the_method_is_accepted_and_behind_it_refused(tmp_path: Path) -> None:
    """backup-not-supported: the order decides."""
    server = f"server {{ listen unix:{tmp_path}/s; location / {{ proxy_pass http://b; }} }}"
    lines = "server 127.0.0.1:1; server 127.0.0.1:2 backup;"
    for method in ("hash $uri;", "ip_hash;", "random;"):
        first = nginx.check(tmp_path, f"events {{}} http {{ upstream b {{ {method} {lines} }} {server} }}")
        last = nginx.check(tmp_path, f"events {{}} http {{ upstream b {{ {lines} {method} }} {server} }}")
        assert not first.accepted
        assert 'does not support parameter "backup"' in first.output
        assert last.accepted, last.output


def test_failures_are_counted_per_worker_without_zone_and_once_with_it(tmp_path: Path) -> None:
    """A dead server is found by every worker on its own, unless they share a zone."""
    for zone, expected in (("", 2), ("zone backend 64k;", 1)):
        directory = tmp_path / ("shared" if zone else "alone")
        directory.mkdir()
        port, dead = nginx.free_ports(2)
        with backends("alive") as (alive,):
            group = (
                f"{zone} server 127.0.0.1:{dead} max_fails=1 fail_timeout=60s; server 127.0.0.1:{alive.port};"
            )
            with nginx.running(
                directory, _http(port, group).replace(f":{port}", f":{port} reuseport", 1), workers=2
            ):
                for _ in range(60):
                    assert ask(port) == (200, "alive")
        failures = (directory / "error.log").read_text().count("connect() failed")
        assert failures == expected


def test_undefined_group_is_looked_up_as_a_host_name(tmp_path: Path) -> None:
    """undefined-upstream: nginx does not start when DNS does not know the name; without a port it never does."""
    server = "server { listen unix:%s/s; location / { %s; } }"
    http = nginx.check(
        tmp_path,
        f"events {{}} http {{ {server % (tmp_path, 'proxy_pass http://no_such_group_0')} }}",
        timeout=60,
    )
    assert not http.accepted
    assert "host not found in upstream" in http.output
    fastcgi = nginx.check(
        tmp_path, f"events {{}} http {{ {server % (tmp_path, 'fastcgi_pass no_such_group_0')} }}", timeout=60
    )
    assert not fastcgi.accepted
    assert "no port in upstream" in fastcgi.output
