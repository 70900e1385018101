"""Which handler and which file answers: shown with a running nginx."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import ask

pytestmark = [pytest.mark.live, nginx.live]


def _tree(directory: Path) -> Path:
    root = directory / "www"
    (root / "images").mkdir(parents=True)
    (root / "images" / "x").write_text("picture")
    (root / "imagesx").write_text("glued")
    (root / "index.html").write_text("page")
    return root


def test_the_last_handler_answers(tmp_path: Path) -> None:
    port, nobody = nginx.free_ports(2)
    server = (
        f"server {{ listen 127.0.0.1:{port}; "
        f"location /a {{ proxy_pass http://127.0.0.1:{nobody}; stub_status; }} "
        f"location /b {{ stub_status; proxy_pass http://127.0.0.1:{nobody}; }} }}"
    )
    with nginx.running(tmp_path, server, main=f"user {getpass.getuser()};"):
        assert ask(port, "/a")[0] == 200
        assert ask(port, "/b")[0] == 502


def test_try_files_without_a_fallback_ends_with_500(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    root = _tree(tmp_path)
    server = (
        f"server {{ listen 127.0.0.1:{port}; root {root}; location / {{ try_files $uri $uri/; }} "
        f"location /images/ {{ try_files $uri =404; }} }}"
    )
    with nginx.running(tmp_path, server, main=f"user {getpass.getuser()};"):
        assert ask(port, "/missing")[0] == 500
        assert ask(port, "/images/missing")[0] == 404


def test_names_are_glued_to_an_alias_without_slash(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    root = _tree(tmp_path)
    server = (
        f"server {{ listen 127.0.0.1:{port}; location /images/ {{ alias {root}/images; }} "
        f"location /good/ {{ alias {root}/images/; }} }}"
    )
    with nginx.running(tmp_path, server, main=f"user {getpass.getuser()};"):
        assert ask(port, "/images/x") == (200, "glued")
        assert ask(port, "/good/x") == (200, "picture")


def test_a_fallback_under_alias_is_no_file(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    root = _tree(tmp_path)
    server = (
        f"server {{ listen 127.0.0.1:{port}; root /nowhere; "
        f"location /app/ {{ alias {root}/; try_files $uri /index.html; }} }}"
    )
    with nginx.running(tmp_path, server, main=f"user {getpass.getuser()};"):
        assert ask(port, "/app/index.html") == (200, "page")
        assert ask(port, "/app/missing")[0] == 404
