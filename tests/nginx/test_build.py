"""The output of ``nginx -V``, and what a scan takes from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nginxaudit.nginx.build import parse_build
from tests.support.command import nginxaudit

_DEBIAN = """nginx version: nginx/1.22.1
built with OpenSSL 3.0.9 30 May 2023
TLS SNI support enabled
configure arguments: --with-cc-opt='-g -O2 -fstack-protector-strong' --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf --with-http_v2_module
"""
_PLUS = "nginx version: nginx/1.25.5 (nginx-plus-r32-p1)\r\nbuilt by gcc 11\r\nconfigure arguments: --prefix=/etc/nginx\r\n"
_OWN = """nginx version: openresty/1.25.3.1
configure arguments: --prefix=/opt/web --add-module=../echo-nginx-module-0.63 --add-dynamic-module=../lua-nginx-module-0.10.26 --add-module=/src/headers-more-nginx-module --add-module=/src/house-brand
"""


def test_a_package() -> None:
    build = parse_build(f"$ nginx -V\n{_DEBIAN}")
    assert (build.version, build.edition, build.prefix) == ((1, 22, 1), "oss", "/etc/nginx")
    assert not build.modules


def test_plus() -> None:
    build = parse_build(_PLUS)
    assert (build.version, build.edition, build.prefix) == ((1, 25, 5), "plus", "/etc/nginx/conf")


def test_modules_that_were_built_in() -> None:
    build = parse_build(_OWN)
    assert build.version == (1, 25, 3)
    assert build.modules == {"echo", "lua", "headers-more"}
    assert build.prefix == "/opt/web/conf"
    assert build.unknown == ("/src/house-brand",)


def test_a_line_that_was_cut() -> None:
    build = parse_build("nginx version: nginx/1.26.2\nconfigure arguments: --with-cc-opt='-g -O2 --prefix=/x")
    assert build.version == (1, 26, 2)


@pytest.mark.parametrize("text", ["", "nginx/1.26.2", "nginx version: nginx/x", "events {}\n"])
def test_what_is_no_output_of_nginx(text: str) -> None:
    with pytest.raises(ValueError, match="no output of nginx -V"):
        parse_build(text)


def _scan(directory: Path, *args: str, stdin: str | None = None) -> dict[str, object]:
    (directory / "nginx.conf").write_text("events {}\nhttp { include /etc/nginx/more.conf; }\n")
    (directory / "more.conf").write_text("server { listen 80; server_name a; }\n")
    run = nginxaudit(
        "scan", "--no-settings", "--format", "json", *args, "nginx.conf", cwd=directory, stdin=stdin
    )
    data: dict[str, object] = json.loads(run.stdout)
    return data


def test_a_scan_for_it(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(_DEBIAN)
    data = _scan(tmp_path, "--nginx-v", "v.txt")
    assert data["tool"] == {
        "name": "nginxaudit",
        "version": "0.1.0",
        "nginx_version": "1.22.1",
        "edition": "oss",
    }
    assert data["remarks"] == ["judged for nginx 1.22.1, as nginx -V says (v.txt)"]


def test_standard_input(tmp_path: Path) -> None:
    data = _scan(tmp_path, "--nginx-v", "-", stdin=_PLUS)
    assert data["tool"]["edition"] == "plus"  # type: ignore[index]
    assert data["remarks"] == ["judged for NGINX Plus (1.25.5), as nginx -V says (standard input)"]


def test_the_command_line_wins(tmp_path: Path) -> None:
    data = _scan(tmp_path, "--nginx-v", "-", "--nginx-version", "1.29.7", stdin=_DEBIAN)
    assert data["tool"]["nginx_version"] == "1.29.7"  # type: ignore[index]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--nginx-v", "missing.txt", "nginx.conf"), "missing.txt: there is no such file"),
        (("--nginx-v", "nginx.conf", "nginx.conf"), "nginx.conf: it is no output of nginx -V"),
        (("--nginx-v", "-", "-"), "standard input is either that or a configuration"),
    ],
)
def test_what_cannot_be_used(args: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("events {}\n")
    run = nginxaudit("scan", "--no-settings", *args, cwd=tmp_path, stdin="events {}")
    assert run.returncode == 2
    assert said in " ".join(run.stderr.split())
