"""The hooks in the real pre-commit, in a repository of its own.

The hooks are those of ``.pre-commit-hooks.yaml``, with this interpreter in the place of an installed command.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.clock import HANG

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "nginx/nginx.conf": "events {}\nhttp {\n    upstream app {\n        server 10.0.0.1:80;\n        server 10.0.0.2:80;\n    }\n"
    "    include conf.d/*.conf;\n}\n",
    "nginx/conf.d/app.conf": "server {\n    listen 8080;\n    server_name app.example;\n    location / {\n        include snippets/proxy.conf;\n    }\n}\n",
    "nginx/snippets/proxy.conf": "proxy_pass http://app;\nproxy_set_header Host $host;\n",
}

pytestmark = pytest.mark.skipif(shutil.which("pre-commit") is None, reason="no pre-commit on this machine")


def _hooks() -> list[dict[str, Any]]:
    hooks: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    for hook in hooks:
        assert hook["entry"].startswith("nginxaudit ")
        hook["entry"] = f"{sys.executable} -m {hook['entry']}"
        hook["language"] = "system"
        del hook["minimum_pre_commit_version"]
    return [
        hook for hook in hooks if hook["id"] != "nginxaudit-expect"
    ]  # for repositories with routing tests


def _run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PRE_COMMIT_HOME": str(tree.parent / "cache"),
            "GIT_CONFIG_GLOBAL": "/dev/null",
        },
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    config = {
        "repos": [{"repo": "local", "hooks": sorted(_hooks(), key=lambda hook: hook["id"], reverse=True)}]
    }
    (root / ".pre-commit-config.yaml").write_text(json.dumps(config))
    for command in (
        ("git", "init", "-q", "-b", "main"),
        ("git", "config", "user.email", "a@example.org"),
        ("git", "config", "user.name", "A"),
        ("git", "add", "."),
        ("git", "commit", "-q", "-m", "begin"),
        ("pre-commit", "install"),
    ):
        done = _run(root, *command)
        assert done.returncode == 0, done.stderr
    return root


def _commit(tree: Path) -> subprocess.CompletedProcess[str]:
    _run(tree, "git", "add", ".")
    return _run(tree, "git", "commit", "-m", "change")


def test_a_good_change_passes(tree: Path) -> None:
    (tree / "nginx/snippets/proxy.conf").write_text(
        FILES["nginx/snippets/proxy.conf"] + "proxy_connect_timeout 3s;\n"
    )
    done = _commit(tree)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_bad_change_is_stopped_in_the_context_of_its_root(tree: Path) -> None:
    (tree / "nginx/snippets/proxy.conf").write_text("proxy_pass http://apps;\n")
    done = _commit(tree)
    assert done.returncode == 1
    output = done.stdout + done.stderr
    assert (
        'nginx/snippets/proxy.conf:1:12: warning undefined-upstream: [~] there is no upstream "apps"'
        in output
    )
    assert "nginx/nginx.conf:" not in output


def test_what_can_be_fixed_is_fixed_and_then_passes(tree: Path) -> None:
    (tree / "nginx/conf.d/app.conf").write_text(
        FILES["nginx/conf.d/app.conf"].replace("listen 8080;", "listen 8080 default;")
    )
    done = _commit(tree)
    assert done.returncode == 1
    output = done.stdout + done.stderr
    assert "files were modified by this hook" in output
    assert "fixed nginx/conf.d/app.conf:" in output and "fixed 1 finding in 1 file" in output
    assert "listen 8080 default_server;" in (tree / "nginx/conf.d/app.conf").read_text()
    again = _commit(tree)
    assert again.returncode == 0, again.stdout + again.stderr


@pytest.mark.parametrize("name", ["sites-available/shop.example.com", "nginx/shop.conf.sample", "shop.vhost"])
def test_a_site_is_read_whatever_its_name_is(name: str, tree: Path) -> None:
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text("server {\n    listen 80;\n    location /files { alias /srv/files/; }\n}\n")
    done = _commit(tree)
    assert done.returncode == 1
    assert f"{name}:3:" in done.stdout + done.stderr


def test_files_of_other_software_pass(tree: Path) -> None:
    (tree / "redis.conf").write_text("bind 127.0.0.1\nport 6379\n")
    (tree / "notes.txt").write_text("The server is down; see below {\n")
    (tree / "nginx" / "app.conf.bak").write_text("server {\n")
    done = _commit(tree)
    assert done.returncode == 0, done.stdout + done.stderr
