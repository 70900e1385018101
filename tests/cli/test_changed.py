"""Single files in the context of the configuration they belong to, as pre-commit passes them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.command import nginxaudit

FILES = {
    "nginx/nginx.conf": "events {}\nhttp {\n    upstream app { server 10.0.0.1:80; server 10.0.0.2:80; }\n"
    "    autoindex on;\n    include conf.d/*.conf;\n}\n",
    "nginx/conf.d/app.conf": "server {\n    listen 8080;\n    location / {\n        include snippets/proxy.conf;\n    }\n}\n",
    "nginx/snippets/proxy.conf": "proxy_pass http://app;\n",
    "nginx/snippets/loose.conf": "ssl_protocols SSLv3;\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def _found(tree: Path, *args: str) -> tuple[int, set[tuple[str, str]]]:
    run = nginxaudit("scan", "--format", "json", *args, cwd=tree)
    findings = json.loads(run.stdout)["findings"]
    return run.returncode, {(each["location"]["file"], each["rule"]) for each in findings}


def test_a_snippet_knows_the_upstreams_of_its_root(tree: Path) -> None:
    snippet = "nginx/snippets/proxy.conf"
    assert ("undefined-upstream" in {rule for _, rule in _found(tree, snippet)[1]}) is False
    (tree / snippet).write_text("proxy_pass http://apps;\n")
    code, found = _found(tree, snippet)
    assert code == 1 and (snippet, "undefined-upstream") in found
    assert {file for file, _ in found} == {snippet}


def test_a_root_alone_reports_all_of_its_files_and_a_changed_one_only_itself(tree: Path) -> None:
    (tree / "nginx/snippets/proxy.conf").write_text("proxy_pass http://elsewhere;\n")
    root = "nginx/nginx.conf"
    assert {file for file, _ in _found(tree, root)[1]} == {root, "nginx/snippets/proxy.conf"}
    assert {file for file, _ in _found(tree, "--changed", root)[1]} == {root}
    both = _found(tree, "--changed", root, "nginx/snippets/proxy.conf")[1]
    assert {file for file, _ in both} == {root, "nginx/snippets/proxy.conf"}


def test_what_no_root_reaches_is_a_fragment(tree: Path) -> None:
    code, found = _found(tree, "nginx/snippets/loose.conf")
    assert (code, found) == (1, {("nginx/snippets/loose.conf", "deprecated-tls-protocol")})


def test_the_entry_of_the_settings_is_the_root(tree: Path) -> None:
    (tree / "nginx/nginx.conf").rename(tree / "nginx/main.template.conf")
    (tree / "nginxaudit.toml").write_text('entry = ["nginx/main.template.conf"]\n')
    (tree / "nginx/snippets/proxy.conf").write_text("proxy_pass http://apps;\n")
    assert ("nginx/snippets/proxy.conf", "undefined-upstream") in _found(tree, "nginx/snippets/proxy.conf")[1]


def test_an_error_elsewhere_is_told_but_does_not_fail(tree: Path) -> None:
    (tree / "nginx/conf.d/broken.conf").write_text("server {\n")
    run = nginxaudit("scan", "nginx/snippets/proxy.conf", cwd=tree)
    assert run.returncode == 0
    assert "nginx/conf.d/broken.conf" in run.stdout


def test_above_the_repository_nothing_is_read(tree: Path) -> None:
    inner = tree / "nginx" / "snippets"
    subprocess.run(["git", "init", "-q", str(inner)], check=True)
    (inner / "proxy.conf").write_text("proxy_pass http://apps;\n")
    assert {rule for _, rule in _found(tree, "nginx/snippets/proxy.conf")[1]}.isdisjoint(
        {"undefined-upstream"}
    )


def test_a_fix_stays_in_the_given_file(tree: Path) -> None:
    (tree / "nginx/snippets/proxy.conf").write_text("proxy_pass http://app;\nhealth_check;\n")
    main = (tree / "nginx/nginx.conf").read_text()
    run = nginxaudit("scan", "--fix", "--unsafe-fixes", "nginx/snippets/proxy.conf", cwd=tree)
    assert "health_check" not in (tree / "nginx/snippets/proxy.conf").read_text(), run.stderr
    assert (tree / "nginx/nginx.conf").read_text() == main
