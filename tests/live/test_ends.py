"""Two ends of one configuration that do not fit, and settings of stream that do nothing, shown on a running nginx."""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import ask
from tests.support.certificates import CERTIFICATE, KEY, made

pytestmark = [pytest.mark.live, nginx.live]


def _answer(port: int, *, tls: bool = False, first: bytes = b"") -> bytes:
    """What a client reads that asks for ``/``; nothing where the connection is closed or makes no TLS."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=3) as raw:
        raw.sendall(first)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(raw, server_hostname="a.example.com") if tls else raw as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return connection.recv(4096)
    return b""


def _certificate(directory: Path) -> str:
    for name, text in made().items():
        (directory / name).write_text(text)
    return f"ssl_certificate {directory / CERTIFICATE}; ssl_certificate_key {directory / KEY};"


@pytest.mark.parametrize(
    ("outer", "sends", "inner", "tls", "fits"),
    [
        ("", "ssl_preread on; proxy_protocol on;", "ssl", True, False),
        ("", "ssl_preread on;", "ssl proxy_protocol", True, False),
        ("", "ssl_preread on; proxy_protocol on;", "ssl proxy_protocol", True, True),
        ("", "ssl_preread on;", "", True, False),
        ("", "ssl_preread on;", "ssl", True, True),
        ("ssl", "", "ssl", True, False),
        ("ssl", "proxy_ssl on;", "ssl", True, True),
        ("ssl", "", "", True, True),
        ("", "proxy_ssl on;", "", False, False),
        ("", "proxy_ssl_name a; proxy_ssl_server_name on;", "", False, True),
        ("", "proxy_ssl_name a; proxy_ssl_server_name on;", "ssl", False, False),
    ],
)
def test_a_stream_pass_fits_the_socket_at_its_end(
    tmp_path: Path, outer: str, sends: str, inner: str, tls: bool, fits: bool
) -> None:
    """pass-listen-mismatch, stream-proxy-ssl-off"""
    port, end = nginx.free_ports(2)
    certificate = _certificate(tmp_path)
    stream = f"""
        stream {{ server {{ listen 127.0.0.1:{port} {outer}; {certificate if outer else ""} {sends} proxy_pass 127.0.0.1:{end}; }} }}
    """
    http = f"server {{ listen 127.0.0.1:{end} {inner}; {certificate} location / {{ return 200 fits; }} }}"
    with nginx.running(tmp_path, http, main=stream):
        assert (b" 200 " in _answer(port, tls=tls)) is fits


@pytest.mark.parametrize(
    ("scheme", "inner", "status"),
    [
        ("http", "", 200),
        ("http", "ssl", 400),
        ("https", "ssl", 200),
        ("https", "", 502),
        ("http", "proxy_protocol", 502),
    ],
)
def test_a_pass_of_http_fits_the_socket_at_its_end(
    tmp_path: Path, scheme: str, inner: str, status: int
) -> None:
    """pass-listen-mismatch"""
    port, end = nginx.free_ports(2)
    http = f"""
        server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {scheme}://127.0.0.1:{end}; }} }}
        server {{ listen 127.0.0.1:{end} {inner}; {_certificate(tmp_path)} location / {{ return 200 fits; }} }}
    """
    with nginx.running(tmp_path, http):
        assert ask(port)[0] == status


def test_http_1_to_a_plain_socket_with_http2(tmp_path: Path) -> None:
    """pass-listen-mismatch: since 1.25.1 such a socket speaks both."""
    port, end = nginx.free_ports(2)
    http = f"""
        server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{end}; }} }}
        server {{ listen 127.0.0.1:{end} http2; location / {{ return 200 fits; }} }}
    """
    with nginx.running(tmp_path, http):
        assert (b"200 OK" in _answer(port)) is (nginx.version() >= (1, 25, 1))


def _needs(version: tuple[int, int, int]) -> None:
    if nginx.version() < version:
        pytest.skip("this nginx speaks no HTTP/2 to backends")


@pytest.mark.parametrize(("flag", "works"), [("http2 on;", True), ("", False)])
def test_http_2_to_a_socket_without_it(tmp_path: Path, flag: str, works: bool) -> None:
    """pass-listen-mismatch"""
    _needs((1, 29, 4))
    port, end = nginx.free_ports(2)
    http = f"""
        server {{ listen 127.0.0.1:{port}; location / {{ proxy_http_version 2; proxy_pass http://127.0.0.1:{end}; }} }}
        server {{ listen 127.0.0.1:{end}; {flag} location / {{ return 200 fits; }} }}
    """
    with nginx.running(tmp_path, http):
        assert (ask(port)[0] == 200) is works


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ('Connection ""', 200),
        ("Connection close", 400),
        ("Upgrade websocket", 400),
        ("TE gzip", 400),
        ("X-A b", 200),
    ],
)
def test_headers_of_one_connection_over_http_2(tmp_path: Path, header: str, status: int) -> None:
    """connection-header-over-http2"""
    _needs((1, 29, 4))
    port, end = nginx.free_ports(2)
    http = f"""
        server {{
            listen 127.0.0.1:{port};
            location / {{ proxy_http_version 2; proxy_set_header {header}; proxy_pass http://127.0.0.1:{end}; }}
        }}
        server {{ listen 127.0.0.1:{end}; http2 on; location / {{ return 200 fits; }} }}
    """
    with nginx.running(tmp_path, http):
        assert ask(port)[0] == status


@pytest.mark.parametrize("preread", ["off", "on"])
def test_the_name_is_empty_without_preread(tmp_path: Path, preread: str) -> None:
    """ssl-preread-variable-empty"""
    port, named, other = nginx.free_ports(3)
    certificate = _certificate(tmp_path)
    stream = f"""
        stream {{
            map $ssl_preread_server_name $to {{ a.example.com 127.0.0.1:{named}; default 127.0.0.1:{other}; }}
            server {{ listen 127.0.0.1:{port}; ssl_preread {preread}; proxy_pass $to; }}
        }}
    """
    http = "".join(
        f"server {{ listen 127.0.0.1:{at} ssl; {certificate} location / {{ return 200 {text}; }} }}"
        for at, text in ((named, "named"), (other, "other"))
    )
    with nginx.running(tmp_path, http, main=stream):
        assert _answer(port, tls=True).endswith(b"named" if preread == "on" else b"other")


def test_the_name_is_empty_where_tls_ends(tmp_path: Path) -> None:
    """ssl-preread-variable-empty"""
    port, end = nginx.free_ports(2)
    stream = f"""
        stream {{ server {{
            listen 127.0.0.1:{port} ssl; {_certificate(tmp_path)} ssl_preread on;
            return "[$ssl_preread_server_name|$ssl_server_name]";
        }} }}
    """
    with nginx.running(tmp_path, f"server {{ listen 127.0.0.1:{end}; }}", main=stream):
        assert _answer(port, tls=True) == b"[|a.example.com]"


@pytest.mark.parametrize("setting", ["proxy_protocol on;", "proxy_ssl on;"])
def test_what_udp_does_not_have(tmp_path: Path, setting: str) -> None:
    """stream-udp-settings-ignored"""
    port, end = nginx.free_ports(2)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as backend,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        backend.bind(("127.0.0.1", 0))
        backend.settimeout(3)
        client.connect(("127.0.0.1", port))
        stream = f"""
            stream {{ server {{
                listen 127.0.0.1:{port} udp; {setting} proxy_pass 127.0.0.1:{backend.getsockname()[1]};
            }} }}
        """
        with nginx.running(tmp_path, f"server {{ listen 127.0.0.1:{end}; }}", main=stream):
            client.send(b"one")
            first = backend.recv(512)
            client.send(b"two")
            second = backend.recv(512)
    assert second == b"two"
    assert (
        first == b"one"
        if "ssl" in setting
        else first.startswith(b"PROXY ") and b"one" not in first.split(b"\r\n")[0]
    )
