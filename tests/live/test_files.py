"""Which files strangers can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import ask

pytestmark = [pytest.mark.live, nginx.live]


def test_a_missing_slash_leads_one_directory_up(tmp_path: Path) -> None:
    """alias-traversal."""
    (port,) = nginx.free_ports(1)
    shown = tmp_path / "www" / "files"
    shown.mkdir(parents=True)
    (shown / "a").write_text("public")
    (tmp_path / "www" / "secret").write_text("secret")
    http = f"server {{ listen 127.0.0.1:{port}; location /files {{ alias {shown}/; }} location /right/ {{ alias {shown}/; }} }}"
    with nginx.running(tmp_path, http, main="user root;"):
        assert ask(port, "/files/a") == (200, "public")
        assert ask(port, "/files../secret") == (200, "secret")
        assert ask(port, "/right/a") == (200, "public")
        assert ask(port, "/right../secret")[0] == 404


def test_a_named_location_that_is_not_there_is_500(tmp_path: Path) -> None:
    """try-files-undefined-location: nginx starts all the same."""
    (port,) = nginx.free_ports(1)
    http = f"server {{ listen 127.0.0.1:{port}; root {tmp_path}; location / {{ try_files $uri @nowhere; }} }}"
    with nginx.running(tmp_path, http):
        assert ask(port, "/missing")[0] == 500
