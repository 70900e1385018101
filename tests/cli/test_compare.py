"""``nginxaudit compare``, as a command."""

from __future__ import annotations

import json
import os
import subprocess
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


def _git(tree: Path, *words: str) -> str:
    names = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    done = subprocess.run(
        ["git", *words], cwd=tree, check=True, capture_output=True, text=True, env={**os.environ, **names}
    )
    return done.stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits of a configuration with an include and a link, a branch, and a change that is not committed."""
    tree = tmp_path_factory.mktemp("repository")
    site = tree / "conf/sites-available/shop.conf"
    site.parent.mkdir(parents=True)
    (tree / "conf/sites-enabled").mkdir()
    (tree / "conf/sites-enabled/shop.conf").symlink_to("../sites-available/shop.conf")
    (tree / "conf/nginx.conf").write_text("events {}\nhttp { include sites-enabled/*.conf; }\n")
    _git(tree, "init", "-q", "-b", "main")
    _git(tree, "config", "filter.evil.smudge", f"touch {tree}/ran")
    (tree / ".gitattributes").write_text("*.conf filter=evil export-ignore\n")
    for text in ("return 200 one;", "return 404;", "return 302 /x;"):
        site.write_text(f"server {{ listen 80; server_name shop.example; location /pay/ {{ {text} }} }}\n")
        if text != "return 302 /x;":
            _git(tree, "add", ".")
            _git(tree, "commit", "-qm", text)
    return tree


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (("--git", "HEAD"), "404 → 302 redirect"),
        (("--git", "HEAD~1", "."), "200 → 302 redirect"),
        (("--git", "HEAD~1..main", "conf"), "200 → 404"),
        (("--git", "HEAD~1...", "conf/nginx.conf"), "200 → 404"),
        (("--git", "main...HEAD"), None),
    ],
)
def test_revisions(repository: Path, words: tuple[str, ...], title: str | None) -> None:
    run = nginxaudit("compare", "--no-settings", "--format", "json", *words, cwd=repository)
    assert run.returncode == int(title is not None), run.stderr
    groups = json.loads(run.stdout)["groups"]
    assert [group["title"] for group in groups] == ([title] if title else [])
    for group in groups:
        old, new = group["requests"][0]["old_place"], group["requests"][0]["new_place"]
        assert old.startswith(words[1].partition("..")[0]) and old.endswith("shop.conf:1"), old
        assert new.endswith("shop.conf:1"), new
    assert not (repository / "ran").exists()


@pytest.mark.parametrize("words", [("--git", "--output=x"), ("--git", "none"), ("--git", "HEAD:conf"), ("--git", "HEAD", "a", "b"), ()])  # fmt: skip
def test_revisions_that_are_none(repository: Path, words: tuple[str, ...]) -> None:
    run = nginxaudit("compare", "--no-settings", *words, cwd=repository)
    assert run.returncode == 2 and "Traceback" not in run.stderr


def test_no_repository_and_a_path_that_was_not_there(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(OLD)
    run = nginxaudit("compare", "--no-settings", "--git", "main", cwd=tmp_path)
    assert run.returncode == 2 and "is not a commit of this repository" in run.stderr
    (repository / "later").mkdir(exist_ok=True)
    (repository / "later/nginx.conf").write_text(OLD)
    run = nginxaudit("compare", "--no-settings", "--git", "main", "later", cwd=repository)
    assert run.returncode == 2 and "there is no later in main" in run.stderr


SITE = r"""events {}
http {
    map $host $app { hostnames; default one; .b.example two; }
    upstream one { server 10.0.0.1:80; }
    upstream two { server 10.0.0.2:80; }
    server {
        listen 80;
        listen 8443 ssl;
        ssl_certificate a; ssl_certificate_key a;
        location / { proxy_pass http://$app; }
        location ~ ^/(?:build|tests|config)(?:$|/) { return 404; }
        location ~ /\.(?!well-known) { return 403; }
        location ~ ^/a#b$ { return 204; }
REWRITES
    }
}
stream {
    map $ssl_preread_server_name $to { db.example 10.0.0.8:1; default 10.0.0.9:1; }
    server { listen 5432; ssl_preread on; proxy_pass $to; }
}
""".replace("REWRITES", "\n".join(f"        rewrite ^/r{at}$ /to{at};" for at in range(20)))  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "request_line"),
    [
        ("build|tests|", "build|", "GET http://localhost/tests"),  # not the first member
        (".b.example two", ".c.example two", "GET http://www.b.example/"),  # a host that only a map knows
        ("rewrite ^/r15$ /to15", "rewrite ^/r15$ /build", "GET http://localhost/r15"),  # one of many rewrites
        ("listen 8443 ssl;", "", "GET https://localhost:8443/"),  # not the first socket
        ("return 403", "return 404", "GET http://localhost/.x"),  # "/." itself is "/"
        ("return 204", "return 205", "GET http://localhost/a%23b"),
        ("10.0.0.8:1", "10.0.0.7:1", "tls://db.example:5432"),
        ("listen 5432;", "listen 5433;", "tcp://localhost:5432"),
    ],
)
def test_every_member_is_asked_about(tmp_path: Path, before: str, after: str, request_line: str) -> None:
    assert before in SITE
    (tmp_path / "old.conf").write_text(SITE)
    (tmp_path / "new.conf").write_text(SITE.replace(before, after))
    run = nginxaudit("compare", "--no-settings", "--format", "json", "old.conf", "new.conf", cwd=tmp_path)
    asked = [each["request"] for group in json.loads(run.stdout)["groups"] for each in group["requests"]]
    assert request_line in asked


def test_nothing_to_compare_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("http { server { listen <%= @port %>; server_name <%= @name %>; } }\n")
    run = nginxaudit("compare", "--no-settings", "a.conf", "a.conf", cwd=tmp_path)
    assert run.returncode == 3
    assert "nothing was compared" in run.stdout


def test_headers_that_differ_are_shown(tmp_path: Path) -> None:
    """Where the backend and the URI are the same, what else is not."""
    text = """events {} http { map $http_upgrade $kind { default upgrade; '' close; } server { listen 80;
        location / { proxy_pass http://10.0.0.1; proxy_set_header Connection $kind; add_header X-A 1; } } }"""
    (tmp_path / "old.conf").write_text(text)
    (tmp_path / "new.conf").write_text(text.replace("upgrade;", "Upgrade;").replace("X-A 1", "X-B s3cr3t"))
    run = nginxaudit("compare", "--no-settings", "old.conf", "new.conf", cwd=tmp_path)
    assert "GET http://localhost/ -H 'Upgrade: x'" in run.stdout
    assert "; sends Connection: upgrade; answers X-A: 1, no X-B" in run.stdout
    assert "; sends Connection: Upgrade; answers X-B: s3cr3t, no X-A" in run.stdout
