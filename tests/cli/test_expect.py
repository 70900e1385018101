"""``nginxaudit expect``, as a command."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.command import nginxaudit

CONFIG = r"""events {}
http {
    upstream app { server 10.0.0.1:80; }
    server {
        listen 80;
        server_name shop.example;
        root /srv/www;
        location / { try_files $uri =404; }
        location /api/ { proxy_pass http://app/v1/; proxy_set_header X-A b; }
        location ~* \.(?:png|jpe?g)$ { expires 1h; }
        location /private/ { allow 10.0.0.0/8; deny all; }
        location /old { return 301 https://shop.example/new; }
        location @never { return 200; }
    }
}
"""
ROUTES = """config = "nginx.conf"

[known]
files = ["/srv/www/a.txt"]
only-files = true

[[route]]
name = "the api"
url = "http://shop.example/api/x?y=1"
expect = { upstream = "app", uri = "/v1/x?y=1", location = "/api/", sent = { X-A = "b", Cookie = false } }

[[route]]
url = "shop.example/private/"
from = "203.0.113.9"
expect = { refused = true, server = "shop.example" } # strangers

[[route]]
url = "shop.example/a.txt"
expect = { status = 200, file = "/srv/www/a.txt", headers = { Content-Type = true, X-B = false } }
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "nginx.conf").write_text(CONFIG)
    (tmp_path / "nginx-routes.toml").write_text(ROUTES)
    return tmp_path


def test_tests_pass(tree: Path) -> None:
    run = nginxaudit("expect", "--no-settings", "--coverage", cwd=tree)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed, 0 failed; 3 of 6 locations, 1 of 1 servers reached" in run.stdout
    assert "nginx.conf:13 location @never" in run.stdout


def _break(tree: Path) -> None:
    path = tree / "nginx.conf"
    path.write_text(path.read_text().replace("http://app/v1/", "http://app/").replace("deny all;", ""))


def test_tests_fail_and_say_what_happens(tree: Path) -> None:
    _break(tree)
    run = nginxaudit("expect", "--no-settings", cwd=tree)
    assert run.returncode == 1
    assert "FAILED the api  nginx-routes.toml:7" in run.stdout
    assert 'uri: expected "/v1/x?y=1", got "/x?y=1"' in run.stdout
    assert "refused: expected true" in run.stdout
    assert "  what happens: " in run.stdout


def test_other_formats(tree: Path) -> None:
    _break(tree)
    data = json.loads(nginxaudit("expect", "--no-settings", "--format", "json", cwd=tree).stdout)
    assert data["summary"] == {"passed": 1, "failed": 2}
    junit = ElementTree.fromstring(
        nginxaudit("expect", "--no-settings", "--format", "junit", cwd=tree).stdout
    )
    assert (junit.get("tests"), junit.get("failures")) == ("3", "2")
    github = nginxaudit("expect", "--no-settings", "--format", "github", cwd=tree).stdout
    assert "::error file=nginx-routes.toml,line=7,title=the api::uri: " in github


def test_update_writes_what_happens_now(tree: Path) -> None:
    _break(tree)
    run = nginxaudit("expect", "--no-settings", "--update", cwd=tree)
    assert run.returncode == 0, run.stdout
    assert "2 tests updated" in run.stderr
    text = (tree / "nginx-routes.toml").read_text()
    assert 'expect = { upstream = "app", uri = "/x?y=1" }' in text
    assert "expect = { status = 404 } # strangers" in text
    assert nginxaudit("expect", "--no-settings", cwd=tree).returncode == 0


def test_a_first_file_passes(tree: Path) -> None:
    run = nginxaudit("expect", "--no-settings", "--suggest", "--nginx-conf", "nginx.conf", cwd=tree)
    assert run.returncode == 0
    assert (
        'url = "http://shop.example/old"\nexpect = { status = 301, redirect = "https://shop.example/new" }'
        in run.stdout
    )
    wrong = nginxaudit("expect", "--no-settings", "--suggest", "nginx.conf", cwd=tree)
    assert wrong.returncode == 2 and "--nginx-conf nginx.conf" in wrong.stderr
    (tree / "first.toml").write_text(run.stdout)
    assert nginxaudit("expect", "--no-settings", "first.toml", cwd=tree).returncode == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[route]]\nurl = 'a'\n", "route 1: required but missing: expect"),
        (
            "[[route]]\nurl = 'a'\nexpect = { statu = 200 }\n",
            "route 1.expect.statu: unknown key; did you mean",
        ),
        ("[[route]]\nurl = 'a'\nexpect = { status = 'x' }\n", "a whole number"),
        ("config = 1\n", "config: a string"),
        ("[[route]", "at line 1"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "r.toml").write_text(text)
    run = nginxaudit("expect", "--no-settings", "r.toml", cwd=tmp_path)
    assert run.returncode == 2
    assert words in run.stderr.replace("\n", " ")


def test_suggestions_are_requests_that_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "site.conf.j2").write_text(
        "server { listen 8080; server_name {{ name }} real.example; root /srv;\n"
        " location / { try_files $uri @app; } location @app { return 404; } location = / { return 204; } location ~ /\\.(?!well-known) { return 403; } }\n"
        "server { listen {{ port }}; server_name other.example; return 200; }\n"
    )
    (tmp_path / "auth.conf").write_text("location /auth { return 401; }\n")
    run = nginxaudit("expect", "--no-settings", "--suggest", "--nginx-conf", ".", cwd=tmp_path)
    urls = [line for line in run.stdout.splitlines() if line.startswith("url")]
    assert urls == [f'url = "http://real.example:8080/{path}"' for path in ("x", "", ".x")]
    assert 'files = ["/srv/x"]\nonly-files = true\nexpect = { status = 200, file = "/srv/x" }' in run.stdout
    (tmp_path / "nginx-routes.toml").write_text(run.stdout)
    done = nginxaudit("expect", "--no-settings", "--coverage", cwd=tmp_path)
    assert "3 passed, 0 failed; 3 of 4 locations, 1 of 2 servers reached" in done.stdout
    assert "\n  :1" not in done.stdout


def test_nothing_to_suggest(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("http { server { listen <%= @port %>; server_name <%= @name %>; } }\n")
    run = nginxaudit("expect", "--no-settings", "--suggest", "--nginx-conf", "a.conf", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (3, "")
    assert "no test can be suggested" in run.stderr


def test_a_suggestion_for_a_socket_of_ipv4(tmp_path: Path) -> None:
    """The default server listens on both, the site on IPv4 alone: its redirect is tested, with the address."""
    (tmp_path / "nginx.conf").write_text(
        "events {}\nhttp {\n server { listen 80 default_server; listen [::]:80 default_server; return 444; }\n"
        " server { listen 80; server_name shop.example; return 301 https://shop.example/; } }\n"
    )
    run = nginxaudit("expect", "--no-settings", "--suggest", "--nginx-conf", "nginx.conf", cwd=tmp_path)
    assert 'url = "http://shop.example/"\nto = "127.0.0.1"\nexpect = { status = 301' in run.stdout


def test_suggestions_for_stream(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(
        "events {}\nstream {\n map $ssl_preread_server_name $to { a.example 10.0.0.1:1; default 10.0.0.2:1; }\n"
        " server { listen 443; ssl_preread on; proxy_pass $to; }\n server { listen 25; return hello; }\n }\n"
    )
    run = nginxaudit("expect", "--no-settings", "--suggest", "--nginx-conf", "nginx.conf", cwd=tmp_path)
    for url, expected in (
        ("tcp://localhost:443", 'upstream = "10.0.0.2:1"'),
        ("tls://a.example:443", 'upstream = "10.0.0.1:1"'),
        ("tcp://localhost:25", 'body = "hello"'),
    ):
        assert f'url = "{url}"\nexpect = {{ {expected} }}' in run.stdout
    assert "tls://a.example:25" not in run.stdout
    (tmp_path / "nginx-routes.toml").write_text(run.stdout)
    done = nginxaudit("expect", "--no-settings", cwd=tmp_path)
    assert "3 passed, 0 failed; 0 of 0 locations, 2 of 2 servers reached" in done.stdout
