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
    assert "other: location /private/ (line 12): a regular expression wins over it" in run.stdout
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


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"nginx.conf": "events {}\nhttp { include sites-enabled/*; }", "sites-available/shop": "server { listen 80; }"},
            "1 file looks like nginx, but no configuration includes it (--fragments analyses each separately): sites-available/shop",
        ),
        (
            {"nginx.conf": "events {}\nhttp {\n include mime.types;\n include sites-enabled/*; }", "mime.types": ""},
            '"include sites-enabled/*" (nginx.conf:4) matches no file. Name a tree',
        ),
        ({"nginx.conf": "events {}\nhttp { include /srv/sites/shop.conf; }"}, '"include /srv/sites/shop.conf" (nginx.conf:2)'),
        ({"up.conf": "upstream a { server 10.0.0.1; }"}, "only parts of a configuration were read (up.conf). Name the nginx.conf"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(tmp_path: Path, files: dict[str, str], words: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    run = nginxaudit("trace", "--no-settings", ".", "http://shop.example/", cwd=tmp_path)
    assert run.returncode == 3
    assert words in run.stderr.replace("./", "")


def test_sockets_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { server { listen 80; listen [::]:8080; } }\n")
    (tmp_path / "a.conf").write_text(
        "events {}\nhttp { server { listen 80; } server { listen {{ port }} ssl; } }\n"
    )
    refused = nginxaudit("trace", "--no-settings", "nginx.conf", "https://shop.example/", cwd=tmp_path).stdout
    assert "no server listens on port 443; there is *:80, [::]:8080" in refused
    assert "the connection is refused" in refused.partition("Outcome")[2]
    unknown = nginxaudit("trace", "--no-settings", "a.conf", "https://shop.example/", cwd=tmp_path).stdout
    assert 'the address of "listen {{ port }} ssl" comes from a template or the environment' in unknown
    assert "refused" not in unknown


def test_several_configurations_and_parts(tmp_path: Path) -> None:
    """What is walked is said; a part of a server is none of them."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "nginx.conf").write_text(
            f"events {{}}\nhttp {{ server {{ listen 80; server_name {name}.example; return 200 {name}; }} }}\n"
        )
    (tmp_path / "auth.conf").write_text("location /auth { return 401; }\n")
    run = nginxaudit("trace", "--no-settings", ".", "http://b.example/auth", cwd=tmp_path)
    assert "2 configurations that do not include each other: " in run.stderr
    assert '200, text "b"' in run.stdout


def test_a_file_that_was_not_read_is_named_once(tmp_path: Path) -> None:
    text = "events {}\nhttp { server { listen 443 ssl; include ssl.conf; root /srv; index a.html;\n location / { try_files $uri $uri/ =404; } } }\n"
    (tmp_path / "nginx.conf").write_text(text)
    run = nginxaudit(
        "trace",
        "--no-settings",
        "--file-exists",
        "/srv/a.html",
        "nginx.conf",
        "https://x.example/",
        cwd=tmp_path,
    )
    assumption = 'if "include ssl.conf", which could not be read, changes nothing'
    assert run.stdout.partition("Outcome")[0].count(assumption) == 1
    assert assumption in run.stdout.partition("Outcome")[2]
    assert run.stdout.count("the only server of the socket") == 1
    assert "/srv/ is not a file · try_files: $uri\n" in run.stdout
    assert "/srv/ is a directory · try_files: $uri/" in run.stdout


def test_locations_that_were_not_tried_take_one_line(tmp_path: Path) -> None:
    regexes = "".join(f"location ~ ^/{each} {{ return 200; }}" for each in "abc")
    (tmp_path / "nginx.conf").write_text(
        f"events {{}}\nhttp {{ server {{ listen 80; {regexes} location = /a {{ return 204; }} }} }}\n"
    )
    run = nginxaudit("trace", "--no-settings", "nginx.conf", "http://x.example/a", cwd=tmp_path)
    assert "other: 3 regular expressions: not tried: an exact location matches" in run.stdout
    assert "location ~ ^/a" not in run.stdout


def test_what_a_connection_says(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(
        "events {}\nstream {\n map $ssl_preread_alpn_protocols $to { postgresql 10.0.0.1:5432; default 10.0.0.2:443; }\n"
        " server { listen 443 proxy_protocol; ssl_preread on; set_real_ip_from 192.0.2.0/24; deny 203.0.113.7; proxy_pass $to; } }\n"
    )
    ask = (
        "trace",
        "--no-settings",
        "--from",
        "192.0.2.1",
        "--alpn",
        "postgresql",
        "nginx.conf",
        "tls://x.example:443",
    )
    passed = nginxaudit(*ask, "--proxy-protocol", "198.51.100.1", cwd=tmp_path)
    assert "passed to 10.0.0.1:5432" in passed.stdout.partition("Outcome")[2]
    denied = nginxaudit(*ask, "--proxy-protocol", "203.0.113.7", cwd=tmp_path)
    assert "the connection is closed without an answer" in denied.stdout
