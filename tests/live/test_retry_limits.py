"""What the rules on lists of reasons, and on tries and times that run out, claim, shown on a running nginx."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import ask, backends

pytestmark = [pytest.mark.live, nginx.live]


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _http(port: int, servers: list[str], settings: str) -> str:
    lines = " ".join(f"server 127.0.0.1:{server};" for server in servers)
    return f"""
        upstream backend {{ {lines} }}
        server {{ listen 127.0.0.1:{port}; location / {{ {settings} proxy_pass http://backend; }} }}
    """


@pytest.mark.parametrize(
    ("reasons", "refused", "hung"),
    [("http_502", 502, 504), ("timeout", 502, 200), ("error", 200, 504), ("error timeout", 200, 200)],
)
def test_what_is_not_listed_is_not_retried(tmp_path: Path, reasons: str, refused: int, hung: int) -> None:
    """next-upstream-without-error"""
    port, dead = nginx.free_ports(2)
    settings = f"proxy_next_upstream {reasons}; proxy_read_timeout 300ms;"
    with backends("alive") as (alive,), silent() as mute:
        for number, first in enumerate((dead, mute)):
            place = tmp_path / str(number)
            place.mkdir()
            with nginx.running(place, _http(port, [f"{first}", f"{alive.port}"], settings)):
                assert ask(port)[0] == (refused, hung)[number]


def test_without_error_a_backup_is_never_asked(tmp_path: Path) -> None:
    """unreachable-backup, max-fails-zero"""
    port, dead = nginx.free_ports(2)
    with backends("standby") as (standby,):
        servers = [f"{dead} max_fails=0", f"{standby.port} backup"]
        with nginx.running(tmp_path, _http(port, servers, "proxy_next_upstream http_502 timeout;")):
            assert [ask(port)[0] for _ in range(5)] == [502] * 5
        assert standby.requests == 0


@pytest.mark.parametrize(("limit", "status"), [("200ms", 504), ("300ms", 504), ("2s", 200)])
def test_a_silent_server_uses_up_the_time(tmp_path: Path, limit: str, status: int) -> None:
    """next-upstream-timeout-ineffective"""
    (port,) = nginx.free_ports(1)
    settings = f"proxy_connect_timeout 100ms; proxy_read_timeout 300ms; proxy_next_upstream_timeout {limit};"
    with backends("alive") as (alive,), silent() as mute:
        with nginx.running(tmp_path, _http(port, [f"{mute}", f"{alive.port}"], settings)):
            assert ask(port)[0] == status
        assert alive.requests == (status == 200)


@pytest.mark.parametrize(("limit", "status"), [("450ms", 504), ("2s", 200)])
def test_silent_primaries_use_up_the_time_of_the_backup(tmp_path: Path, limit: str, status: int) -> None:
    """unreachable-backup"""
    (port,) = nginx.free_ports(1)
    settings = f"proxy_read_timeout 300ms; proxy_next_upstream_timeout {limit};"
    with backends("standby") as (standby,), silent() as one, silent() as two:
        servers = [f"{one}", f"{two}", f"{standby.port} backup"]
        with nginx.running(tmp_path, _http(port, servers, settings)):
            assert ask(port)[0] == status
        assert standby.requests == (status == 200)


@pytest.mark.parametrize(("code", "counts"), [(403, False), (404, False), (429, True)])
def test_403_and_404_do_not_count(tmp_path: Path, code: int, counts: bool) -> None:
    """next-upstream-client-error: a server that answered them is used at once again."""
    (port,) = nginx.free_ports(1)
    with backends("one", "two") as (one, two):
        one.status = two.status = code
        settings = f"proxy_next_upstream error timeout http_{code};"
        with nginx.running(tmp_path, _http(port, [f"{one.port}", f"{two.port}"], settings)):
            for _ in range(2):
                ask(port)
            one.status = two.status = 200
            assert ask(port)[0] == (502 if counts else 200)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_a_call_of_grpc_that_was_sent_is_not_repeated(tmp_path: Path) -> None:
    """``upstreams``: not even with ``non_idempotent``; the body of a call is not read before it is sent."""
    port, live, dead = nginx.free_ports(3)
    with silent() as mute:
        servers = {"mute": mute, "dead": dead}
        groups = "".join(
            f"upstream {name} {{ server 127.0.0.1:{first} max_fails=0; server 127.0.0.1:{live} max_fails=0; }}"
            for name, first in servers.items()
        )
        config = f"""{groups}
            grpc_read_timeout 300ms; grpc_next_upstream error timeout non_idempotent;
            server {{ listen 127.0.0.1:{live} http2; location / {{ return 204; }} }}
            server {{ listen 127.0.0.1:{port} http2;
                location /mute {{ grpc_pass grpc://mute; }} location /dead {{ grpc_pass grpc://dead; }} }}
        """
        with nginx.running(tmp_path, config):
            assert sorted(_call(port, "/mute") for _ in range(2)) == ["204", "504"]
            assert [_call(port, "/dead") for _ in range(2)] == ["204", "204"]


def _call(port: int, path: str) -> str:
    """The status that a POST with a body of its own frame gets over HTTP/2."""
    command = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", "--http2-prior-knowledge"]
    command += ["--max-time", "5", "--data-binary", "@/dev/null", f"http://127.0.0.1:{port}{path}"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
