"""What clients can write into headers and paths: shown with a running nginx."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import ask

pytestmark = [pytest.mark.live, nginx.live]


def raw(port: int, path: str, body: str | None = None) -> str:
    """The response to a request whose path is sent as it is."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        method, length = ("GET", "") if body is None else ("POST", f"Content-Length: {len(body)}\r\n")
        head = f"{method} {path} HTTP/1.1\r\nHost: a\r\n{length}Connection: close\r\n\r\n"
        client.sendall(f"{head}{body or ''}".encode())
        received = b""
        while chunk := client.recv(65536):
            received += chunk
    return received.decode("latin-1")


def test_a_decoded_path_splits_a_response(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; location /a {{ return 302 http://x$uri; }} "
        f"location /b {{ return 302 http://x$request_uri; }} "
        f"location ~ ^/c/([^/]*)$ {{ return 302 http://x/$1; }} location ~ ^/d/(.*)$ {{ return 302 http://x/$1; }} }}"
    )
    with nginx.running(tmp_path, server):
        for path, splits in (("/a", True), ("/b", False), ("/c/", True), ("/d/", False)):
            assert ("\r\nX-Evil: 1\r\n" in raw(port, f"{path}%0D%0AX-Evil:%201")) is splits, path


def test_what_a_rewrite_captures_is_escaped(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; rewrite ^/a/([^/]*)$ http://x/$1 redirect; "
        f"rewrite ^/b http://x$uri redirect; }}"
    )
    with nginx.running(tmp_path, server):
        assert "\r\nX-Evil: 1\r\n" not in raw(port, "/a/%0D%0AX-Evil:%201")
        assert "\r\nX-Evil: 1\r\n" in raw(port, "/b%0D%0AX-Evil:%201")


def test_a_decoded_path_arrives_decoded(tmp_path: Path) -> None:
    port, backend = nginx.free_ports(2)
    servers = (
        f"server {{ listen 127.0.0.1:{backend}; return 200 $request_uri; }} "
        f"server {{ listen 127.0.0.1:{port}; location /a {{ proxy_pass http://127.0.0.1:{backend}$uri; }} "
        f"location /b {{ proxy_pass http://127.0.0.1:{backend}; }} "
        f"location ~ ^/c/(.*)$ {{ proxy_pass http://127.0.0.1:{backend}/$1; }} }}"
    )
    with nginx.running(tmp_path, servers):
        assert ask(port, "/a%3Fx")[1] == "/a?x"
        assert ask(port, "/b%3Fx")[1] == "/b%3Fx"
        assert ask(port, "/c/d%23e")[1] == "/d#e"


def test_a_cache_gives_the_first_cookie_to_everybody(tmp_path: Path) -> None:
    port, backend = nginx.free_ports(2)
    servers = (
        f"proxy_cache_path {tmp_path}/cache keys_zone=z:1m; proxy_cache_valid 200 1m; "
        f"server {{ listen 127.0.0.1:{backend}; add_header Set-Cookie s=$request_id; return 200 ok; }} "
        f"server {{ listen 127.0.0.1:{port}; proxy_cache z; "
        f"location /a {{ proxy_ignore_headers Set-Cookie; proxy_pass http://127.0.0.1:{backend}; }} "
        f"location /b {{ proxy_pass http://127.0.0.1:{backend}; }} "
        f"location /c {{ proxy_ignore_headers Set-Cookie; proxy_hide_header Set-Cookie; "
        f"proxy_pass http://127.0.0.1:{backend}; }} }}"
    )
    owner = "user root;" if os.geteuid() == 0 else ""  # the cache is in a directory of the test's own
    with nginx.running(tmp_path, servers, main=owner):
        cookies = {path: [_cookie(raw(port, path)) for _ in range(2)] for path in ("/a", "/b", "/c")}
    assert cookies["/a"][0] is not None and cookies["/a"][0] == cookies["/a"][1]
    assert None not in cookies["/b"] and cookies["/b"][0] != cookies["/b"][1]
    assert cookies["/c"] == [None, None]


def _cookie(response: str) -> str | None:
    found = [line for line in response.splitlines() if line.lower().startswith("set-cookie:")]
    return found[0] if found else None


def test_a_key_without_arguments_or_body(tmp_path: Path) -> None:
    port, backend = nginx.free_ports(2)
    cached = f"proxy_pass http://127.0.0.1:{backend};"
    servers = (
        f"proxy_cache_path {tmp_path}/cache keys_zone=z:1m; proxy_cache_valid 200 1m; "
        f"server {{ listen 127.0.0.1:{backend}; return 200 id=$arg_id,length=$http_content_length; }} "
        f"server {{ listen 127.0.0.1:{port}; proxy_cache z; "
        f"location /a {{ proxy_cache_key $host$uri; {cached} }} "
        f"location /b {{ proxy_cache_methods GET POST; {cached} }} }}"
    )
    owner = "user root;" if os.geteuid() == 0 else ""
    with nginx.running(tmp_path, servers, main=owner):
        assert [raw(port, f"/a?id={number}").rpartition("id=")[2] for number in (1, 2)] == ["1,length="] * 2
        assert [raw(port, f"/b?id={number}").rpartition("id=")[2] for number in (1, 2)] == [
            "1,length=",
            "2,length=",
        ]
        posted = [raw(port, "/b", "x" * size).rpartition("length=")[2] for size in (1, 2)]
        assert posted == ["1", "1"]


def test_a_target_with_two_slashes(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; server_name own.test; server_name_in_redirect on; port_in_redirect off; "
        "if ($request_uri ~ ^/[ao](/.*)/index.html$) { set $target $1; } "
        "location /a { return 301 $target; } location /o { absolute_redirect off; return 301 $target; } "
        "location /arg { absolute_redirect off; return 302 /$arg_next; } "
        "rewrite ^/r(/.+)/$ $1 permanent; }"
    )
    with nginx.running(tmp_path, server):
        assert "\r\nLocation: http://own.test//evil.test\r\n" in raw(port, "/a//evil.test/index.html")
        assert "\r\nLocation: //evil.test\r\n" in raw(port, "/o//evil.test/index.html")
        assert "\r\nLocation: //evil.test\r\n" in raw(port, "/arg?next=/evil.test")
        assert "\r\nLocation: http://own.test/evil.test\r\n" in raw(port, "/r//evil.test/")


def test_names_of_arguments_and_cookies_in_if(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; if ($arg_go-get) {{ return 201; }} "
        "if ($cookie_a.b = c) { return 202; } if ($http_x-go) { return 203; } if ($arg_m=fast) { return 204; } "
        "return 200 plain; }"
    )
    with nginx.running(tmp_path, server):
        assert ask(port, "/?go-get=1")[0] == 201
        assert " 202 " in raw(port, "/ HTTP/1.1\r\nCookie: a.b=c\r\nX-Rest:")
        assert " 200 " in raw(port, "/ HTTP/1.1\r\nX-Go: 1\r\nX-Rest:")
        assert ask(port, "/?m=fast")[0] == ask(port, "/?m%3Dfast=1")[0] == 200


def test_which_host_a_server_sees(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    servers = (
        f"server {{ listen 127.0.0.1:{port} default_server; server_name d.test; return 200 default:$host:$http_host; }} "
        f"server {{ listen 127.0.0.1:{port}; server_name a.test b.test; return 200 own:$host:$http_host; }}"
    )

    def asked(target: str, host: str) -> str:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            received = b""
            while chunk := client.recv(65536):
                received += chunk
        return received.decode("latin-1").rpartition("\r\n\r\n")[2]

    with nginx.running(tmp_path, servers):
        assert asked("/", "evil.test") == "default:evil.test:evil.test"
        assert asked("/", "a.test") == "own:a.test:a.test"
        assert asked("http://a.test/", "evil.test") == "own:a.test:evil.test"
        assert asked("http://evil.test/", "a.test") == "default:evil.test:a.test"


def test_set_gives_variables_of_the_request_no_empty_value(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; if ($arg_x) {{ set $http_x_own set; set $arg_lang set; set $mine set; }} "
        'return 200 "$http_x_own,$arg_lang,$mine"; }'
    )
    with nginx.running(tmp_path, server):
        assert raw(port, "/?lang=en HTTP/1.1\r\nX-Own: sent\r\nX-Rest:").endswith("\r\n\r\nsent,en,")
        assert raw(port, "/?x=1&lang=en HTTP/1.1\r\nX-Own: sent\r\nX-Rest:").endswith("\r\n\r\nset,set,set")
