"""Names that are looked up when nginx starts, and those that it looks up while it serves."""

from __future__ import annotations

import socket
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
