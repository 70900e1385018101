"""What expressions do in a running nginx."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nginxaudit.pcre import parse
from nginxaudit.pcre.backtracking import danger
from tests.support import nginx
from tests.support.backends import ask
from tests.support.clock import HANG

pytestmark = [pytest.mark.live, nginx.live]


def test_a_slow_expression_keeps_a_worker_busy(tmp_path: Path) -> None:
    """The same path against an expression called slow, and against one that means the same."""
    (port,) = nginx.free_ports(1)
    slow, fast = r"^/(\w+\s?)*$", r"^/(\w++\s?)*+$"
    assert danger(parse(slow)) is not None  # type: ignore[arg-type]
    assert danger(parse(fast)) is None  # type: ignore[arg-type]
    server = (
        f"server {{ listen 127.0.0.1:{port}; if ($arg_fast = '') {{ rewrite '{slow}' /found last; }} "
        f"if ($arg_fast) {{ rewrite '{fast}' /found last; }} return 404; }}"
    )
    with nginx.running(tmp_path, server) as master:
        times = []
        for query in ("fast=1", ""):
            before = _ticks(master)
            for _ in range(10):
                ask(port, "/" + "a" * 60 + "!" + ("?" + query if query else ""))
            times.append(_ticks(master) - before)
    assert times[1] > 5 * max(1, times[0])
    assert "pcre" in (tmp_path / "error.log").read_text()


def _ticks(master: int) -> int:
    """Processor time of the only worker, in ticks of the clock (of ten milliseconds, mostly)."""
    children = Path(f"/proc/{master}/task/{master}/children")
    deadline = time.monotonic() + HANG
    while not children.read_text().split() and time.monotonic() < deadline:
        time.sleep(0.01)  # the socket is open before there is a worker
    (worker,) = children.read_text().split()
    fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_an_open_expression_matches_in_the_middle_of_a_path(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; location ~ \\.php {{ return 200 open; }} "
        f"location / {{ return 200 rest; }} }}"
    )
    with nginx.running(tmp_path, server):
        assert ask(port, "/upload/x.php.jpg")[1] == "open"
        assert ask(port, "/upload/x.jpg")[1] == "rest"


def test_a_number_without_a_group_is_empty(tmp_path: Path) -> None:
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port}; location ~ ^/a/(x) {{ return 200 '[$1$2$arg_q]'; }} "
        f"location /b {{ rewrite ^/b/.*$ /a/x?q=$1 last; }} location /c {{ rewrite ^/c/(.*)$ /a/x?q=$1 last; }} }}"
    )
    with nginx.running(tmp_path, server):
        assert ask(port, "/a/x")[1] == "[x]"
        assert ask(port, "/b/y")[1] == "[x]"
        assert ask(port, "/c/y")[1] == "[xy]"


def test_locations_that_nobody_gets_to(tmp_path: Path) -> None:
    first, second = nginx.free_ports(2)
    servers = (
        f"server {{ listen 127.0.0.1:{first}; location ~ ^/ {{ return 200 taker; }} "
        f"location ~ \\.php$ {{ return 200 php; }} location /images/ {{ return 200 images; }} "
        f"location ^~ /kept/ {{ return 200 kept; }} }} "
        f"server {{ listen 127.0.0.1:{second}; location ^~ /static/ {{ return 200 static; }} "
        f"location ~ ^/static/.*\\.css$ {{ return 200 css; }} }}"
    )
    with nginx.running(tmp_path, servers):
        paths = ("/x.php", "/images/a", "/kept/a")
        assert [ask(first, path)[1] for path in paths] == ["taker", "taker", "kept"]
        assert ask(second, "/static/a.css")[1] == "static"
