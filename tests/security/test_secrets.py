"""A secret of a configuration is in nothing that is written, whatever is asked for."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from nginxaudit.report import FORMATS
from nginxaudit.views.graph import FORMATS as GRAPHS
from nginxaudit.views.upstreams import FORMATS as UPSTREAMS
from tests.support.command import nginxaudit

# Put together here: whoever looks for secrets in this repository finds none.
SECRETS = {
    "basic": base64.b64encode(b"admin:S3cr" + b"et-Pass!").decode(),
    "bearer": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dBjftJeZ4CVPmB92K27uhbUJU1p1r",
    "aws": "AKIA" + "Q3EGRTYUIOPLKJHG",
    "github": "ghp_" + "a8Kd92jLmQ0pZx71vBnRtYuIoPqWsDfGh123",
    "url": "xK9" + "vQ2mB7tLp",
    "query": "f93jd8" + "Kq0Zm1x",
    "header": "Zk8Lm2" + "Qp9Xv4Rt7",
    "link": "w8Jq" + "N5zTb3Hy6",
}
TEXT = """events {{}}
http {{
    upstream shop {{ server 127.0.0.1:8081; server 127.0.0.1:8082 backup; server 127.0.0.1:8083 wieght=2; }}
    map $http_x_api_key $known {{ default 0; }}
    server {{
        listen 8080;
        server_tokens on
        location / {{ proxy_set_header Authorization "Basic {basic}"; proxy_pas http://shop; }}
        location /a {{ proxy_set_header Authorization "Bearer {bearer}" ; proxy_pass http://shop; add_header X "{aws}"; }}
        location /b {{ proxy_pass http://user:{url}@127.0.0.1:9002/x?token={query}; }}
        location /c {{ proxy_set_header X-Api-Key {header}; secure_link_secret {link}; proxy_pass http://shop/?api_key={query}; }}
        location /d {{ return 302 https://user:{url}@example.com/?access_token={query}; }}
        if ($arg_token = {github}) {{ return 403; }}
        rewrite ^/e https://example.com/?secret={query} permanent;
        set $api_key {header}; set $unused {github}
        location ~ ^/(f|{github})/ {{ return 302 /?key={query}; }}
        location /?token={query} {{ proxy_pass http://shop; }}
    }}
}}
""".format(**SECRETS)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "nginx.conf").write_text(TEXT)
    return tmp_path


def assert_kept(text: str) -> None:
    for kind, secret in SECRETS.items():
        assert secret not in text, f"{kind}: {text[max(text.find(secret) - 200, 0) : text.find(secret) + 60]}"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("more", [(), ("--show-suppressed", "--select", "ALL")], ids=["", "all rules"])
def test_reports(name: str, more: tuple[str, ...], tree: Path) -> None:
    done = nginxaudit("scan", "--all", "--format", name, *more, "nginx.conf", cwd=tree)
    assert "secret-in-config" in done.stdout
    assert_kept(done.stdout + done.stderr)


@pytest.mark.parametrize(
    ("command", "name"),
    [("graph", name) for name in GRAPHS] + [("upstreams", name) for name in UPSTREAMS],
)
def test_pictures(command: str, name: str, tree: Path) -> None:
    done = nginxaudit(command, "--format", name, "nginx.conf", cwd=tree)
    assert "shop" in done.stdout
    assert_kept(done.stdout + done.stderr)


@pytest.mark.parametrize("name", ["text", "json"])
def test_statistics(name: str, tree: Path) -> None:
    assert_kept(nginxaudit("scan", "--statistics", "--format", name, "nginx.conf", cwd=tree).stdout)


def test_baselines(tree: Path) -> None:
    for path in tree.glob("*.conf"):
        path.write_text(TEXT.replace("server_tokens on\n", "server_tokens on;\n"))
    done = nginxaudit("baseline", "write", "nginx.conf", cwd=tree)
    assert done.returncode == 0, done.stderr
    written = (tree / "nginxaudit-baseline.json").read_text()
    assert json.loads(written)["findings"]
    assert_kept(written)
    (tree / "nginx.conf").write_text("events {}\n")
    assert_kept(nginxaudit("baseline", "check", "nginx.conf", cwd=tree).stdout)


def test_what_was_fixed_is_told_without_secrets(tree: Path) -> None:
    for arguments in (("--diff",), ("--diff", "--unsafe-fixes"), ("--fix", "--unsafe-fixes")):
        done = nginxaudit("scan", "--select", "ALL", *arguments, "nginx.conf", cwd=tree)
        assert_kept(done.stderr)


def test_manifests(tree: Path) -> None:
    lines = "".join(f"    {line}\n" for line in TEXT.splitlines())
    coded = base64.b64encode(TEXT.encode()).decode()
    (tree / "all.yaml").write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  nginx.conf: |\n{lines}"
        f"---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: b\ndata:\n  nginx.conf: {coded}\n"
    )
    for name in FORMATS:
        text = nginxaudit("scan", "--all", "--format", name, "all.yaml", cwd=tree).stdout
        assert_kept(text)
        assert coded[:60] not in text
