"""``nginxaudit compare``, as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import nginxaudit

OLD = r"""events {}
http {
    map $http_x_beta $beta { default 0; yes 1; }
    upstream app { server 10.0.0.1:80; }
    server {
        listen 80;
        server_name shop.example www.shop.example;
        root /srv/www;
        if ($beta) { return 302 /beta; }
        location /api/ { proxy_pass http://app/v1/; }
        location /private/ { deny all; }
        location ~ \.php$ { return 403; }
        location = /old { return 301 /new; }
        location /post { limit_except GET { deny all; } return 200 ok; }
    }
}
"""


def compared(tmp_path: Path, *changes: tuple[str, str]) -> dict[str, list[dict[str, str]]]:
    """The groups by title."""
    new = OLD
    for before, after in changes:
        assert before in new
        new = new.replace(before, after)
    (tmp_path / "old.conf").write_text(OLD)
    (tmp_path / "new.conf").write_text(new)
    run = nginxaudit("compare", "--no-settings", "--format", "json", "old.conf", "new.conf", cwd=tmp_path)
    data = json.loads(run.stdout)
    assert run.returncode == int(bool(data["groups"])), run.stderr
    return {group["title"]: group["requests"] for group in data["groups"]}


def test_nothing_is_different(tmp_path: Path) -> None:
    assert compared(tmp_path) == {}
    run = nginxaudit("compare", "--no-settings", "old.conf", "old.conf", cwd=tmp_path)
    assert run.stdout.startswith("no difference found in ")


@pytest.mark.parametrize(
    ("change", "title", "request_line"),
    [
        (("http://app/v1/", "http://app/"), "upstream app: other uri", "GET http://shop.example/api/"),
        (("deny all; }\n        location ~", "}\n        location ~"), "403 → 200 with a file", "GET http://shop.example/private/x"),
        (("location = /old", "location /old"), "200 with a file → 301 redirect", "GET http://shop.example/oldx"),
        (("return 301 /new", "return 302 /new"), "301 redirect → 302 redirect", "GET http://www.shop.example/old"),
        (("limit_except GET {", "limit_except GET POST {"), "403 → 200", "POST http://shop.example/post"),
        (("yes 1;", "no 1;"), "302 redirect → upstream app", "GET http://shop.example/api/ -H 'X-Beta: yes'"),
        ((" www.shop.example", ""), "", ""),
    ],
)  # fmt: skip
def test_what_changed_is_found(
    tmp_path: Path, change: tuple[str, str], title: str, request_line: str
) -> None:
    groups = compared(tmp_path, change)
    if title:
        assert request_line in [each["request"] for each in groups[title]]
    else:  # the only server answers for every name
        assert groups == {}


def test_markdown_and_what_cannot_be_read(tmp_path: Path) -> None:
    compared(tmp_path, ("http://app/v1/", "http://app/"))
    run = nginxaudit("compare", "--no-settings", "--format", "markdown", "old.conf", "new.conf", cwd=tmp_path)
    assert "| request | old | new |" in run.stdout
    assert nginxaudit("compare", "--no-settings", "old.conf", "missing.conf", cwd=tmp_path).returncode == 3
