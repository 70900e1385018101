"""What backends get, and when connections to them are cut, shown on a running nginx."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import ask
from tests.support.certificates import CERTIFICATE, KEY, made

pytestmark = [pytest.mark.live, nginx.live]


class Recorder:
    """Keeps what arrives on each connection; its first bytes are answered with ``answer``."""

    def __init__(self, answer: bytes) -> None:
        self.received: list[bytes] = []
        self._answer = answer
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.server.accept()
                self.received.append(b"")
                threading.Thread(
                    target=self._serve, args=(connection, len(self.received) - 1), daemon=True
                ).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65536):
                is_first = not self.received[number]
                self.received[number] += data  # before the answer, which ends the wait of the test
                if is_first:
                    connection.sendall(self._answer)


@contextlib.contextmanager
def recorder(answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") -> Iterator[Recorder]:
    made = Recorder(answer)
    try:
        yield made
    finally:
        made.server.close()


@pytest.mark.parametrize("pool", ["keepalive 4;", ""])
def test_a_pool_is_shared_by_protocols(tmp_path: Path, pool: str) -> None:
    """keepalive-pool-shared: a request in HTTP/1.1 is sent on a connection on which HTTP/2 was spoken."""
    port, end = nginx.free_ports(2)
    modern = nginx.version() >= (1, 25, 1)
    if not modern and not pool:
        pytest.skip("its plain sockets speak HTTP/2 or HTTP/1, not both")
    http = f"""
        upstream backend {{ server 127.0.0.1:{end}; {pool} }}
        server {{
            listen 127.0.0.1:{port};
            location / {{
                proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 500ms;
                proxy_pass http://backend;
            }}
            location /rpc {{ grpc_pass backend; }}
        }}
        server {{
            listen 127.0.0.1:{end} {"" if modern else "http2"}; {"http2 on;" if modern else ""}
            access_log {tmp_path}/end.log;
            location / {{ return 200 fits; }}
        }}
    """
    with nginx.running(tmp_path, http):
        assert ask(port, "/rpc") == (200, "fits")
        assert (ask(port)[0] == 200) is not bool(pool)


@pytest.mark.parametrize("name", ["upstream_addr", "upstream_status", "mapped"])
def test_variables_of_the_upstream_are_empty_in_requests(tmp_path: Path, name: str) -> None:
    """upstream-variable-empty"""
    port = nginx.free_ports(1)[0]
    with recorder() as backend:
        http = f"""
            map $upstream_addr $mapped {{ default $upstream_addr; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_set_header X-Whole ${name};
                    proxy_set_header X-Part "[${name}]";
                    proxy_pass http://127.0.0.1:{backend.port};
                }}
            }}
        """
        with nginx.running(tmp_path, http):
            assert ask(port)[0] == 200
    assert b"X-Part: []\r\n" in backend.received[0]
    assert b"X-Whole" not in backend.received[0]


def test_add_header_is_not_sent_to_the_backend(tmp_path: Path) -> None:
    """request-header-in-response"""
    port = nginx.free_ports(1)[0]
    with recorder() as backend:
        http = f"""
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    add_header X-Real-IP $remote_addr;
                    proxy_set_header X-Other $remote_addr;
                    proxy_pass http://127.0.0.1:{backend.port};
                }}
            }}
        """
        with nginx.running(tmp_path, http):
            assert ask(port)[0] == 200
    assert b"X-Other: 127.0.0.1" in backend.received[0]
    assert b"X-Real-IP" not in backend.received[0]


def _seconds_until_closed(connection: socket.socket) -> float:
    started = time.monotonic()
    connection.settimeout(2)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return 2
    return time.monotonic() - started


@pytest.mark.parametrize(("timeout", "cut"), [("300ms", True), ("1h", False)])
def test_an_idle_websocket_is_closed(tmp_path: Path, timeout: str, cut: bool) -> None:
    """websocket-read-timeout"""
    port = nginx.free_ports(1)[0]
    switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    with recorder(switched) as backend:
        http = f"""
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_http_version 1.1;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection upgrade;
                    proxy_read_timeout {timeout};
                    proxy_pass http://127.0.0.1:{backend.port};
                }}
            }}
        """
        with nginx.running(tmp_path, http), socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            client.settimeout(2)
            assert client.recv(4096).startswith(b"HTTP/1.1 101")
            assert (_seconds_until_closed(client) < 1.5) is cut


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_map_for_websockets_needs_http_1_1(tmp_path: Path, version: str) -> None:
    """websocket-headers-missing: in HTTP/1.0 backends ignore Upgrade."""
    port = nginx.free_ports(1)[0]
    with recorder() as backend:
        http = f"""
            map $http_upgrade $upgraded {{ default upgrade; '' close; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_http_version {version};
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $upgraded;
                    proxy_pass http://127.0.0.1:{backend.port};
                }}
            }}
        """
        with nginx.running(tmp_path, http), socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            client.settimeout(2)
            client.recv(4096)
    assert backend.received[0].startswith(f"GET / HTTP/{version}\r\n".encode())


@pytest.mark.parametrize(("timeout", "cut"), [("300ms", True), ("1h", False)])
def test_an_idle_stream_is_cut(tmp_path: Path, timeout: str, cut: bool) -> None:
    """stream-timeout-too-short"""
    port, other = nginx.free_ports(2)
    with recorder(b"hello") as backend:
        stream = f"""
            stream {{ server {{
                listen 127.0.0.1:{port}; proxy_timeout {timeout}; proxy_pass 127.0.0.1:{backend.port};
            }} }}
        """
        running = nginx.running(tmp_path, f"server {{ listen 127.0.0.1:{other}; }}", main=stream)
        with running, socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"select")
            assert (_seconds_until_closed(client) < 1.5) is cut


def _ask_for(port: int, host: str) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=3) as client:
        client.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return int(client.recv(4096).split()[1])


@pytest.mark.parametrize(("name", "after"), [("$host", 502), ("example.org", 200)])
def test_one_name_of_a_client_takes_every_server_out(tmp_path: Path, name: str, after: int) -> None:
    """upstream-tls-name-from-client"""
    port, one, two = nginx.free_ports(3)
    for file, text in made().items():
        (tmp_path / file).write_text(text)
    http = f"""
        upstream backend {{ server 127.0.0.1:{one}; server 127.0.0.1:{two}; }}
        server {{
            listen 127.0.0.1:{port};
            proxy_ssl_verify on; proxy_ssl_trusted_certificate {tmp_path / CERTIFICATE}; proxy_ssl_name {name};
            location / {{ proxy_pass https://backend; }}
        }}
        server {{
            listen 127.0.0.1:{one} ssl; listen 127.0.0.1:{two} ssl;
            ssl_certificate {tmp_path / CERTIFICATE}; ssl_certificate_key {tmp_path / KEY};
            location / {{ return 200; }}
        }}
    """
    with nginx.running(tmp_path, http):
        assert _ask_for(port, "other.example") == after
        assert _ask_for(port, "example.org") == after
