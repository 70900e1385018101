"""Which headers are sent: shown with a running nginx."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]


def headers(port: int, path: str) -> http.client.HTTPMessage:
    """Headers of the response to one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().headers
    finally:
        connection.close()


def test_headers_without_always_are_missing_on_errors(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; add_header X-Frame-Options DENY; "
        f"add_header X-Content-Type-Options nosniff always; location /a {{ return 404; }} return 200; }}"
    ).replace(" return 200; }", " location / { return 200; } }")
    with nginx.running(tmp_path, server):
        assert headers(port, "/")["X-Frame-Options"] == "DENY"
        failed = headers(port, "/a")
        assert failed["X-Frame-Options"] is None
        assert failed["X-Content-Type-Options"] == "nosniff"


def test_a_header_of_its_own_drops_the_outer_ones(tmp_path: Path) -> None:
    port, backend = nginx.free_ports(2)
    servers = (
        f"server {{ listen 127.0.0.1:{backend}; add_header X-Seen '$http_x_a,$http_x_b'; return 204; }} "
        f"server {{ listen 127.0.0.1:{port}; proxy_set_header X-A a; "
        f"location /a {{ proxy_pass http://127.0.0.1:{backend}; }} "
        f"location /b {{ proxy_set_header X-B b; proxy_pass http://127.0.0.1:{backend}; }} }}"
    )
    with nginx.running(tmp_path, servers):
        assert headers(port, "/a")["X-Seen"] == "a,"
        assert headers(port, "/b")["X-Seen"] == ",b"


def test_content_type_of_an_empty_response(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; add_header Content-Type text/own; "
        'location /none { return 204; } location /empty { return 200 ""; } location /away { return 302 /x; } }'
    )
    with nginx.running(tmp_path, server):
        assert headers(port, "/none").get_all("Content-Type") == ["text/own"]
        assert headers(port, "/empty").get_all("Content-Type") == ["text/plain", "text/own"]
        assert headers(port, "/away").get_all("Content-Type") == ["text/html", "text/own"]
