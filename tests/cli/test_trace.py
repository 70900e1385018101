"""``nginxaudit trace``, as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import nginxaudit

CONFIG = r"""events {}
http {
    upstream app { server 10.0.0.1:80; }
    server {
        listen 80;
        listen 443 ssl;
        server_name shop.example;
        root /srv/www;
        location / { try_files $uri /index.php; }
        location /api/ { proxy_pass http://app/v1/; proxy_set_header Authorization "Bearer s3cr3t-s3cr3t-s3cr3t"; }
        location ~ \.php$ { fastcgi_pass 10.0.0.2:9000; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }
        location /private/ { allow 10.0.0.0/8; deny all; }
        location /login/ { auth_basic x; auth_basic_user_file f; return 200 in; }
    }
}
"""
FIELDS = [
    "when", "status", "redirect", "server", "location", "pass", "upstream", "upstream_uri", "upstream_headers", "file", "body", "headers",
]  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "nginx.conf"
    path.write_text(CONFIG)
    return str(path)


def traced(*arguments: str) -> list[dict[str, object]]:
    run = nginxaudit("trace", "--no-settings", "--format", "json", *arguments)
    assert run.returncode == 0, run.stderr
    found: list[dict[str, object]] = json.loads(run.stdout)
    return found


def outcomes(*arguments: str) -> list[dict[str, object]]:
    (found,) = traced(*arguments)
    return found["outcomes"]  # type: ignore[return-value]


def test_json_has_the_fields_that_are_promised(config: str) -> None:
    (found,) = traced(config, "http://shop.example/api//x?y=1")
    assert list(found) == ["request", "steps", "outcomes"]
    assert all(list(step) == ["phase", "file", "line", "text", "why"] for step in found["steps"])  # type: ignore[attr-defined]
    (outcome,) = found["outcomes"]  # type: ignore[misc]
    assert list(outcome) == FIELDS
    assert outcome["location"] == f"{config}:10"
    assert (outcome["pass"], outcome["upstream"], outcome["upstream_uri"]) == (
        "http://app",
        "app",
        "/v1/x?y=1",
    )
    assert outcome["upstream_headers"]["Authorization"] == "***"


def test_text_says_why_and_what_lost(config: str) -> None:
    run = nginxaudit("trace", "--no-settings", config, "shop.example/private/a.php")
    assert run.returncode == 0
    assert "nginx.conf:11  location ~ \\.php$ · the first regular expression that matches" in run.stdout
    assert "not location /private/ (line 12): a regular expression wins over it" in run.stdout
    assert "SCRIPT_FILENAME: /srv/www/private/a.php" in run.stdout


def test_what_is_known_decides(config: str) -> None:
    url = "shop.example/a.txt"
    assert len(outcomes(config, url)) == 2
    assert [each["file"] for each in outcomes("--file-exists", "/srv/www/a.txt", config, url)] == [
        "/srv/www/a.txt"
    ]
    (only,) = outcomes("--only-files", "--backend-status", "404", config, url)
    assert (only["status"], only["pass"]) == (404, "10.0.0.2:9000")
    private = "shop.example/private/"
    assert [each["status"] for each in outcomes("--from", "192.0.2.1", config, private)] == [403]
    assert [each["status"] for each in outcomes(config, "shop.example/login/")] == [200]


def test_curls_options(config: str) -> None:
    (found,) = traced(
        "-X",
        "PUT",
        "-H",
        "Host: other.example",
        "-H",
        "X-A: b",
        "-d",
        "abc",
        config,
        "https://shop.example/api/",
    )
    request = found["request"]
    assert isinstance(request, dict)
    assert (request["method"], request["host"], request["sni"]) == ("PUT", "other.example", "shop.example")
    assert request["headers"] == {"X-A": "b", "Content-Type": "application/x-www-form-urlencoded"}
    assert outcomes("--tls", config, "shop.example/private/")[0]["status"] == 403


def test_a_file_of_urls(config: str, tmp_path: Path) -> None:
    urls = tmp_path / "urls.txt"
    urls.write_text("# two\nshop.example/a\n\nhttp://shop.example:443/\n")
    first, second = traced(config, f"@{urls}")
    assert first["request"]["target"] == "/a"  # type: ignore[index]
    assert second["outcomes"][0]["status"] == 400  # type: ignore[index]


@pytest.mark.parametrize("name", ["html", "mermaid"])
def test_pictures(config: str, name: str) -> None:
    run = nginxaudit("trace", "--no-settings", "--format", name, config, "shop.example/a")
    assert run.returncode == 0
    assert "/srv/www/a is a file" in run.stdout
    assert ("<!doctype html>" if name == "html" else "flowchart TD") in run.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("CONFIG",), "add the URL"),
        (("CONFIG", "ftp://x/"), "only http://, https://"),
        (("CONFIG", "shop.example:99999/"), "is not a port"),
        (("-H", "nonsense", "CONFIG", "x.example/"), "is not a header"),
        (("CONFIG", "@/nowhere"), "No such file"),
        ((), "Missing argument"),
    ],
)
def test_wrong_usage(config: str, arguments: tuple[str, ...], words: str) -> None:
    run = nginxaudit("trace", "--no-settings", *(config if each == "CONFIG" else each for each in arguments))
    assert run.returncode == 2
    assert words in run.stderr


def test_what_cannot_be_traced(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("events {}\n")
    run = nginxaudit("trace", "--no-settings", str(tmp_path / "a.conf"), "x.example/")
    assert run.returncode == 3
    assert "no server of http or stream" in run.stderr
    (tmp_path / "b.conf").write_text("events {}\nhttp { server { listen 80; location / { return 200 a; }\n")
    run = nginxaudit("trace", "--no-settings", str(tmp_path / "b.conf"), "x.example/")
    assert run.returncode == 3
    assert "not analysed" in run.stderr
