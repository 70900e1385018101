"""When access rules are looked at: shown with a running nginx."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from tests.support import nginx
from tests.support.backends import ask

pytestmark = [pytest.mark.live, nginx.live]


def _backend(port: int) -> str:
    return f"server {{ listen 127.0.0.1:{port}; return 200 backend; }} "


def test_return_comes_before_deny(tmp_path: Path) -> None:
    port, backend = nginx.free_ports(2)
    servers = _backend(backend) + (
        f"server {{ listen 127.0.0.1:{port}; deny all; location /a {{ return 200 secret; }} "
        f"location /b {{ proxy_pass http://127.0.0.1:{backend}; }} }}"
    )
    with nginx.running(tmp_path, servers):
        assert ask(port, "/a") == (200, "secret")
        assert ask(port, "/b")[0] == 403


def test_a_realm_without_a_file_lets_everybody_in(tmp_path: Path) -> None:
    port, backend = nginx.free_ports(2)
    (tmp_path / "users").write_text("nobody:x\n")
    servers = _backend(backend) + (
        f"server {{ listen 127.0.0.1:{port}; "
        f"location /a {{ auth_basic closed; proxy_pass http://127.0.0.1:{backend}; }} "
        f"location /b {{ auth_basic_user_file {tmp_path}/users; proxy_pass http://127.0.0.1:{backend}; }} "
        f"location /c {{ auth_basic closed; auth_basic_user_file {tmp_path}/users; "
        f"proxy_pass http://127.0.0.1:{backend}; }} }}"
    )
    with nginx.running(tmp_path, servers):
        assert [ask(port, path)[0] for path in ("/a", "/b", "/c")] == [200, 200, 401]


def test_an_allowed_address_is_enough(tmp_path: Path) -> None:
    port, backend = nginx.free_ports(2)
    (tmp_path / "users").write_text("nobody:x\n")
    guard = (
        f"auth_basic closed; auth_basic_user_file {tmp_path}/users; proxy_pass http://127.0.0.1:{backend};"
    )
    servers = _backend(backend) + (
        f"server {{ listen 127.0.0.1:{port}; location /a {{ satisfy any; allow 0.0.0.0/0; {guard} }} "
        f"location /b {{ satisfy any; deny all; allow all; {guard} }} "
        f"location /c {{ satisfy any; {guard} }} }}"
    )
    with nginx.running(tmp_path, servers):
        assert [ask(port, path)[0] for path in ("/a", "/b", "/c")] == [200, 401, 401]


def test_a_trusted_client_chooses_its_address(tmp_path: Path) -> None:
    import http.client

    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For; "
        f"return 200 $remote_addr; }}"
    )
    with nginx.running(tmp_path, server):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/", headers={"X-Forwarded-For": "192.0.2.7", "Connection": "close"})
        assert connection.getresponse().read() == b"192.0.2.7"
        connection.close()


def test_who_is_denied_first_is_asked(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    (tmp_path / "users").write_text("nobody:x\n")
    server = (
        f"server {{ listen 127.0.0.1:{port}; auth_basic closed; "
        f"auth_basic_user_file {tmp_path}/users; satisfy any; "
        f"location /a {{ deny 127.0.0.1; allow all; empty_gif; }} "
        f"location = /b {{ allow 127.0.0.0/8; deny 127.0.0.1; allow all; empty_gif; }} "
        f"location = /c {{ deny unix:; allow all; empty_gif; }} }}"
    )
    with nginx.running(tmp_path, server):
        assert [ask(port, path)[0] for path in ("/a", "/b", "/c")] == [401, 200, 200]


def test_a_key_with_a_part_of_the_client(tmp_path: Path) -> None:
    import http.client

    (port,) = nginx.free_ports(1)
    server = (
        "limit_req_zone $binary_remote_addr$http_user_agent zone=a:1m rate=1r/m; "
        f"server {{ listen 127.0.0.1:{port}; limit_req zone=a; empty_gif; }}"
    )

    def asked(agent: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/", headers={"User-Agent": agent, "Connection": "close"})
        status = connection.getresponse().status
        connection.close()
        return status

    with nginx.running(tmp_path, server.replace("empty_gif;", "location / { empty_gif; }")):
        assert [asked(agent) for agent in ("a", "a", "b", "c")] == [200, 503, 200, 200]


def test_return_comes_before_limits(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"limit_req_zone $binary_remote_addr zone=slow:1m rate=1r/m; "
        f"server {{ listen 127.0.0.1:{port}; root {tmp_path}; "
        f"location /a {{ limit_req zone=slow; return 200 text; }} "
        f"location /b {{ limit_req zone=slow; try_files /nginx.conf =404; }} }}"
    )
    with nginx.running(tmp_path, server, main="user root;"):
        assert [ask(port, "/a")[0] for _ in range(4)] == [200] * 4
        assert [ask(port, "/b")[0] for _ in range(3)] == [200, 503, 503]


_REWRITES = {
    "/all": ("rewrite ^ /x permanent;", "/all", False),
    "/absolute": ("rewrite ^(.*)$ https://x.example$1;", "/absolute", False),
    "/prefix": ("rewrite ^/pre /x redirect;", "/prefix/any", False),
    "= /exact": ("rewrite ^/ex(a)ct$ /$1 last;", "/exact", False),
    "/again": ("rewrite ^ /again/x last;", "/again", False),
    "/flagless": ("rewrite .* /x;", "/flagless", False),
    "/before": ("rewrite ^/before/old /x permanent; return 404;", "/before/old", False),
    "~ ^/shown/.+t$": ("rewrite ^/shown/.+t$ /x last;", "/shown/t.t", False),
    "/some": ("rewrite ^/some/old /x permanent;", "/some", True),
    "/stays": ("rewrite ^ /stays/x break;", "/stays", True),
    "/ends": ("if ($arg_a) { break; } rewrite ^ /x permanent;", "/ends?a=1", True),
    "/taken": ("rewrite ^ /x; break;", "/taken", True),
    "/longer": ("rewrite ^/longer/.+ /x last;", "/longer", True),
    "~* ^/any$": ("rewrite ^/any$ /x last;", "/ANY", True),
}
"""Of a location: its rewrites, what is asked for, and whether this gets to the content."""


def test_a_rewrite_that_takes_all_hides_the_status_page(tmp_path: Path) -> None:
    port, all_sent, some_sent = nginx.free_ports(3)
    lines = [f"location {name} {{ {rewrites} stub_status; }}" for name, (rewrites, *_) in _REWRITES.items()]
    server = "\n".join([f"server {{ listen 127.0.0.1:{port}; location /x {{ return 200 x; }}", *lines, "}"])
    server += "\n" + "\n".join(
        f"server {{ listen 127.0.0.1:{each}; rewrite {what} /x last; location /x {{ return 200 x; }} location /s {{ stub_status; }} }}"
        for each, what in ((all_sent, "^"), (some_sent, "^/a"))
    )
    with nginx.running(tmp_path, server):
        assert ask(all_sent, "/s") == (200, "x")
        assert "Active connections" in ask(some_sent, "/s")[1]
        shown = {
            name for name, (_, path, _) in _REWRITES.items() if "Active connections" in ask(port, path)[1]
        }
    (tmp_path / "audited.conf").write_text(f"events {{}}\nhttp {{\n{server.replace('127.0.0.1:', '')}\n}}\n")
    report = audit([str(tmp_path / "audited.conf")], Settings(select=("status-page-exposed",)))
    *lines, last = sorted(each.span.line for each in report.findings)
    reported = {list(_REWRITES)[line - 4] for line in lines}
    assert last == len(_REWRITES) + 6
    assert shown == reported == {name for name, (*_, is_shown) in _REWRITES.items() if is_shown}
