"""Which handler and which file answers: shown with a running nginx."""

from __future__ import annotations

import getpass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import ask

pytestmark = [pytest.mark.live, nginx.live]


def _tree(directory: Path) -> Path:
    root = directory / "www"
    (root / "images").mkdir(parents=True)
    (root / "images" / "x").write_text("picture")
    (root / "imagesx").write_text("glued")
    (root / "index.html").write_text("page")
    return root


def test_the_last_handler_answers(tmp_path: Path) -> None:
    port, nobody = nginx.free_ports(2)
    server = (
        f"server {{ listen 127.0.0.1:{port}; "
        f"location /a {{ proxy_pass http://127.0.0.1:{nobody}; stub_status; }} "
        f"location /b {{ stub_status; proxy_pass http://127.0.0.1:{nobody}; }} }}"
    )
    with nginx.running(tmp_path, server, main=f"user {getpass.getuser()};"):
        assert ask(port, "/a")[0] == 200
        assert ask(port, "/b")[0] == 502


def test_try_files_without_a_fallback_ends_with_500(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    root = _tree(tmp_path)
    server = (
        f"server {{ listen 127.0.0.1:{port}; root {root}; location / {{ try_files $uri $uri/; }} "
        f"location /images/ {{ try_files $uri =404; }} }}"
    )
    with nginx.running(tmp_path, server, main=f"user {getpass.getuser()};"):
        assert ask(port, "/missing")[0] == 500
        assert ask(port, "/images/missing")[0] == 404


def test_names_are_glued_to_an_alias_without_slash(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    root = _tree(tmp_path)
    server = (
        f"server {{ listen 127.0.0.1:{port}; location /images/ {{ alias {root}/images; }} "
        f"location /good/ {{ alias {root}/images/; }} }}"
    )
    with nginx.running(tmp_path, server, main=f"user {getpass.getuser()};"):
        assert ask(port, "/images/x") == (200, "glued")
        assert ask(port, "/good/x") == (200, "picture")


def test_a_fallback_under_alias_is_no_file(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    root = _tree(tmp_path)
    server = (
        f"server {{ listen 127.0.0.1:{port}; root /nowhere; "
        f"location /app/ {{ alias {root}/; try_files $uri /index.html; }} }}"
    )
    with nginx.running(tmp_path, server, main=f"user {getpass.getuser()};"):
        assert ask(port, "/app/index.html") == (200, "page")
        assert ask(port, "/app/missing")[0] == 404


def test_a_rewrite_in_circles_ends_with_500(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; location /a/ {{ rewrite ^/a/ /a/x last; }} "
        f"location /b/ {{ rewrite ^/b/ /b/x break; return 204; }} }}"
    )
    with nginx.running(tmp_path, server):
        assert ask(port, "/a/")[0] == 500
        assert ask(port, "/b/")[0] != 500


def test_an_if_in_a_location_drops_try_files(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    root = _tree(tmp_path)
    server = (
        f"server {{ listen 127.0.0.1:{port}; root {root}; "
        f"location / {{ try_files $uri /index.html; if ($arg_x) {{ add_header X-A b; }} }} }}"
    )
    with nginx.running(tmp_path, server, main=f"user {getpass.getuser()};"):
        assert ask(port, "/missing") == (200, "page")
        assert ask(port, "/missing?x=1")[0] == 404


def test_paths_are_glued_when_slashes_do_not_match(tmp_path: Path) -> None:
    port, backend = nginx.free_ports(2)
    servers = (
        f"server {{ listen 127.0.0.1:{backend}; return 200 $request_uri; }} "
        f"server {{ listen 127.0.0.1:{port}; location /a/ {{ proxy_pass http://127.0.0.1:{backend}/v1; }} "
        f"location /b {{ proxy_pass http://127.0.0.1:{backend}/v1/; }} }}"
    )
    with nginx.running(tmp_path, servers):
        assert ask(port, "/a/x")[1] == "/v1x"
        assert ask(port, "/b/x")[1] == "/v1//x"
        assert ask(port, "/b../x")[1] == "/v1/../x"


def test_a_slash_added_to_the_location_redirects_what_was_sent_to_the_path(tmp_path: Path) -> None:
    first, second, backend = nginx.free_ports(3)
    servers = (
        f"server {{ listen 127.0.0.1:{backend}; return 200 '$request_method $request_uri'; }} "
        + "".join(
            f"server {{ listen 127.0.0.1:{port}; location {path} {{ proxy_pass http://127.0.0.1:{backend}/; }} {more} }} "
            for port, path, more in (
                (first, "/b", ""),
                (
                    second,
                    "/b/",
                    f"location = /exact {{ proxy_pass http://127.0.0.1:{backend}/; }} location /exact/ {{ proxy_pass http://127.0.0.1:{backend}/; }}",
                ),
            )
        )
    )
    with nginx.running(tmp_path, servers):
        assert ask(first, "/b", "POST") == (200, "POST /")
        assert ask(second, "/b", "POST")[0] == 301
        assert ask(second, "/exact", "POST") == (200, "POST /")
        assert ask(first, "/b/x")[1] == "GET //x"
        assert ask(second, "/b/x")[1] == "GET /x"


def test_a_variable_host_keeps_the_path_away(tmp_path: Path) -> None:
    port, backend = nginx.free_ports(2)
    servers = (
        f"server {{ listen 127.0.0.1:{backend}; return 200 $request_uri; }} "
        f"server {{ listen 127.0.0.1:{port}; set $b 127.0.0.1:{backend}; "
        f"location /a {{ proxy_pass http://$b/; }} location /b {{ proxy_pass http://$b; }} }}"
    )
    with nginx.running(tmp_path, servers):
        assert ask(port, "/a/x?y=1")[1] == "/"
        assert ask(port, "/b/x?y=1")[1] == "/b/x?y=1"


def test_a_target_that_begins_with_slashes_gets_the_own_host(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; location /a {{ return 301 //www.example.org/x; }} "
        f"location /b {{ absolute_redirect off; return 301 //www.example.org/x; }} }}"
    )
    with nginx.running(tmp_path, server):
        answers = {path: _location(port, path) for path in ("/a", "/b")}
    assert answers["/a"].startswith("http://") and answers["/a"].endswith("//www.example.org/x")
    assert answers["/b"] == "//www.example.org/x"


def _location(port: int, path: str) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().getheader("Location") or ""
    finally:
        connection.close()


def test_an_if_that_stays_drops_try_files(tmp_path: Path) -> None:
    root = _tree(tmp_path)
    (port,) = nginx.free_ports(1)
    http = (
        f"server {{ listen 127.0.0.1:{port}; root {root}; "
        "location /set { if ($arg_x) { set $y 1; } try_files $uri /index.html; } "
        "location /rate { if ($arg_x) { limit_rate 10k; } try_files $uri /index.html; } "
        "location /break { if ($arg_x) { rewrite ^/(.*)$ /$1.html break; } try_files $uri /index.html; } "
        "location /leaves { if ($arg_x) { rewrite ^ /index.html last; } try_files $uri /index.html; } }"
    )
    with nginx.running(tmp_path, http, main=f"user {getpass.getuser()};"):
        for path in ("/set", "/rate", "/break"):
            assert (ask(port, path)[0], ask(port, f"{path}?x=1")[0]) == (200, 404), path
        assert ask(port, "/leaves?x=1")[0] == 200
