"""Defaults of nginx that rules for controls of standards report, each with what changes it."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.certificates import CERTIFICATE, KEY, made

pytestmark = [pytest.mark.live, nginx.live]


def _ask(
    port: int, path: str, method: str = "GET", host: str = "shop.example.org"
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, headers={"Host": host, "Connection": "close"})
    return connection.getresponse()


def _text(port: int, path: str, method: str = "GET", host: str = "shop.example.org") -> str:
    return _ask(port, path, method, host).read().decode()


def _shaken(port: int) -> tuple[bool, str | None]:
    """Whether a handshake of TLS 1.2 brings a ticket, and which protocol is chosen."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw, context.wrap_socket(raw) as done:
        assert done.session is not None
        return done.session.has_ticket, done.selected_alpn_protocol()


def test_what_nginx_does_by_default(tmp_path: Path) -> None:
    if not made():
        pytest.skip("there is no openssl command")
    for name, text in made().items():
        (tmp_path / name).write_text(text)
    site, backend, plain, strict = nginx.free_ports(4)
    certificate = f"ssl_certificate {tmp_path / CERTIFICATE}; ssl_certificate_key {tmp_path / KEY};"
    http2 = "http2" if nginx.version() < (1, 25, 1) else ""
    with nginx.running(
        tmp_path,
        f"""
        server {{
            listen 127.0.0.1:{site};
            server_name shop.example.org;
            root {tmp_path};
            location /app {{ proxy_pass http://127.0.0.1:{backend}; }}
            location /hidden {{ proxy_hide_header X-Powered-By; proxy_pass http://127.0.0.1:{backend}; }}
            location /limited {{
                limit_except GET {{ deny all; }}
                proxy_pass http://127.0.0.1:{backend};
            }}
            location /own {{ error_page 403 404 @own; }}
            location @own {{ return 404 absent; }}
        }}
        server {{
            listen 127.0.0.1:{backend};
            add_header X-Powered-By PHP/8;
            return 200 $request_method;
        }}
        server {{ listen 127.0.0.1:{plain} ssl; {certificate} return 200; }}
        server {{
            listen 127.0.0.1:{strict} ssl {http2};
            {"" if http2 else "http2 on;"}
            {certificate}
            ssl_session_tickets off;
            return 200;
        }}
        """,
    ):
        # backend-powered-by
        assert _ask(site, "/app").getheader("X-Powered-By") == "PHP/8"
        assert _ask(site, "/hidden").getheader("X-Powered-By") is None
        # approved-methods: files are safe from them
        assert _text(site, "/app", "DELETE") == "DELETE"
        assert _ask(site, "/limited", "DELETE").status == 403
        assert _ask(site, f"/{CERTIFICATE}", "DELETE").status == 405
        # default-error-pages
        assert "<center>nginx" in _text(site, "/none")
        assert _text(site, "/own") == "absent"
        # default-server-serves-content
        assert _text(site, "/app", host="other.example") == _text(site, "/app", host="192.0.2.1") == "GET"
        # session-tickets-enabled, http2-disabled
        assert _shaken(plain) == (True, "http/1.1")
        assert _shaken(strict) == (False, "h2")


def test_security_level_0_permits_short_keys(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl command")
    made = [
        "-days",
        "2",
        "-subj",
        "/CN=x",
        "-keyout",
        str(tmp_path / KEY),
        "-out",
        str(tmp_path / CERTIFICATE),
    ]
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:512", "-nodes", *made], capture_output=True, check=True
    )
    for ciphers, accepted in (("HIGH:!aNULL", False), ("HIGH:!aNULL:@SECLEVEL=0", True)):
        server = f"listen 8443 ssl; ssl_ciphers {ciphers}; ssl_certificate {CERTIFICATE}; ssl_certificate_key {KEY};"
        text = f"{nginx.load_modules()}events {{}} http {{ server {{ {server} }} }}"
        assert nginx.check(tmp_path, text).accepted is accepted
