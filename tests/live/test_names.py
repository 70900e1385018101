"""Names that are looked up when nginx starts, and those that it looks up while it serves."""

from __future__ import annotations

import socket
from http import client
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import ask, backends

pytestmark = [pytest.mark.live, nginx.live]


def _asked(resolver: socket.socket) -> bool:
    """Whether a question arrives within a second."""
    resolver.settimeout(1)
    try:
        return bool(resolver.recv(512))
    except TimeoutError:
        return False


@pytest.mark.parametrize(
    ("target", "runtime"), [("backend", False), ("localhost:{port}", False), ("$name:{port}", True)]
)
def test_a_resolver_is_not_asked_for_a_fixed_name(tmp_path: Path, target: str, runtime: bool) -> None:
    """static-dns-upstream, static-dns-proxy-pass: only a name in a variable is looked up while nginx serves."""
    (port,) = nginx.free_ports(1)
    with backends("one") as (one,), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.bind(("127.0.0.1", 0))
        http = f"""
            upstream backend {{ server localhost:{one.port}; }}
            server {{
                listen 127.0.0.1:{port};
                resolver 127.0.0.1:{resolver.getsockname()[1]} ipv6=off valid=1s;
                resolver_timeout 1s;
                set $name localhost;
                location / {{ proxy_pass http://{target.format(port=one.port)}; }}
            }}
        """
        with nginx.running(tmp_path, http):
            status, _ = ask(port)
        assert _asked(resolver) is runtime
        assert status == (502 if runtime else 200)


def test_names_that_no_host_header_matches(tmp_path: Path) -> None:
    """server-name-never-matches: the default server answers."""
    (port,) = nginx.free_ports(1)
    names = {
        "a.test:8080": "a.test:8080",
        "c.test,d.test": "d.test",
        "e.test.": "e.test.",
        "::1": "[::1]",
        "http://f.test": "f.test",
    }
    http = f"server {{ listen 127.0.0.1:{port}; return 404; }} " + " ".join(
        f"server {{ listen 127.0.0.1:{port}; server_name {name}; return 200 {at}; }}"
        for at, name in enumerate(names)
    )
    with nginx.running(tmp_path, http):
        for name, host in names.items():
            assert _status(port, host) == 404, name


def _status(port: int, host: str) -> int:
    connection = client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()
