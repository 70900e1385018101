"""``scan`` without PATH, and what standard input is then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from tests.support.clock import HANG

SITE = "server {\n    listen 80;\n    location /files { alias /srv/files/; }\n}\n"


def scan(directory: Path, stdin: int | bytes | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    fed = stdin if isinstance(stdin, bytes) else None
    return subprocess.run(
        [sys.executable, "-m", "nginxaudit", "scan", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
        **({"stdin": stdin} if fed is None else {"input": fed.decode()}),
    )


@pytest.mark.parametrize("command", ["scan", "upstreams", "graph"])
def test_a_pipe_is_not_left_unread(command: str, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("events {}\n")
    done = subprocess.run(
        [sys.executable, "-m", "nginxaudit", command],
        cwd=tmp_path, input="events {}\n", capture_output=True, text=True, check=False, timeout=HANG,
    )  # fmt: skip
    assert done.returncode == 2
    assert "give - to read it" in done.stderr


def test_a_redirected_file_is_not_left_unread(tmp_path: Path) -> None:
    (tmp_path / "dump.txt").write_text("events {}\n")
    with (tmp_path / "dump.txt").open() as dump:
        assert scan(tmp_path, dump.fileno()).returncode == 2


@pytest.mark.parametrize("stdin", [subprocess.DEVNULL, b""], ids=["null", "empty pipe"])
def test_what_is_below_is_scanned(stdin: int | bytes, tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "shop.example.com").write_text(SITE)
    done = scan(tmp_path, stdin)
    assert done.returncode == 1
    assert "sites/shop.example.com" in done.stdout and "alias-traversal" in done.stdout


def test_nothing_below_is_not_clean(tmp_path: Path) -> None:
    done = scan(tmp_path, subprocess.DEVNULL)
    assert done.returncode == 3
    assert "/etc/nginx" not in done.stdout


def test_a_configuration_for_plus(tmp_path: Path) -> None:
    text = "events {}\nhttp {\n    upstream a { zone a 64k; server 10.0.0.1; sticky cookie x; }\n    server { listen 80; api; location / { proxy_pass http://a; health_check; } }\n}\n"
    (tmp_path / "nginx.conf").write_text(text)
    path = str(tmp_path / "nginx.conf")
    assert sum("--edition plus" in remark for remark in audit([path], Settings()).remarks) == 1
    assert not any("--edition plus" in remark for remark in audit([path], Settings(edition="plus")).remarks)


def test_what_was_read_outside(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "other.conf").write_text("gzip on;\n")
    (tmp_path / "tree" / "nginx.conf").write_text("events {}\nhttp {\n    include ../other.conf;\n}\n")
    path = str(tmp_path / "tree")
    assert audit([path], Settings()).exit_code() == 3
    (remark,) = [each for each in audit([path], Settings(allow_outside=True)).remarks if "outside" in each]
    assert str(tmp_path / "other.conf") in remark and "nginx.conf" not in remark
