"""Sessions of stream: nginx beside the simulator. A session's status is 200 when it ended well, also with little said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nginxaudit.drill.behaviour import blackhole, cut, hang, ok, refuse, reset, slow, status
from tests.live.drill_compare import Case, burst, check, gets
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]

_LONG = "fail_timeout=1000s"

CASES = [
    Case(
        "a refused connection is tried elsewhere",
        "server {A} fail_timeout=1s; server {B};",
        gets(300, 350, 400, 1500, 2400, 2450, 2500),
        ("A, B => 200", "A => 200"),
        {"A": [(0, refuse()), (1200, ok())]},
    ),
    Case(
        "off: the session is lost, and the failure counts",
        f"server {{A}} {_LONG}; server {{B}};",
        burst(200, 4),
        ("A => 502", "B => 200"),
        {"A": [(0, refuse())]},
        "proxy_next_upstream off;",
    ),
    Case(
        "two tries do not reach the backup",
        "server {A} max_fails=2; server {B} max_fails=2; server {C} backup;",
        burst(200, 4),
        ("A, B => 502", "C => 200"),
        {"A": [(0, refuse())], "B": [(0, refuse())]},
        "proxy_next_upstream_tries 2;",
    ),
    Case(
        "nobody is left",
        f"server {{A}} {_LONG}; server {{B}} {_LONG};",
        burst(200, 3),
        ("A, B => 502", "none => 502"),
        {"A": [(0, refuse())], "B": [(0, refuse())]},
    ),
    Case("weights", "server {A} weight=3; server {B} weight=2;", burst(200, 10), ("B => 200",)),
    Case(
        "an answer that is an error is only bytes",
        "server {A}; server {B};",
        burst(200, 4),
        ("A => 200",),
        {"A": [(0, status(503))]},
    ),
    Case(
        "a session that breaks off is no failure",
        "server {A}; server {B};",
        burst(200, 6),
        ("A => 200",),
        {"A": [(0, reset())], "B": [(0, cut())]},
    ),
    Case(
        "lost packets wait for the connect timeout",
        f"server {{A}} {_LONG}; server {{B}};",
        gets(200, 700, 750),
        ("A, B => 200",),
        {"A": [(0, blackhole())]},
        "proxy_connect_timeout 300ms;",
    ),
    Case(
        "a client that leaves while nginx connects: the connect timeout counts",
        f"server {{A}} {_LONG}; server {{B}};",
        gets(200, 700, 750),
        ("A, B => 200",),
        {"A": [(0, blackhole())]},
        "proxy_connect_timeout 300ms;",
        patience=150,
    ),
    Case(
        "a client that leaves a session that hangs: nothing counts",
        f"server {{A}} {_LONG}; server {{B}};",
        gets(200, 600, 1000, 1400),
        ("A => 200",),
        {"A": [(0, hang())]},
        patience=200,
    ),
    Case(
        "a session that hangs ends with proxy_timeout: nothing counts",
        f"server {{A}} {_LONG}; server {{B}};",
        gets(200, 600, 1000, 1400),
        ("A => 200",),
        {"A": [(0, hang())]},
        "proxy_timeout 200ms;",
    ),
    Case(
        "least_conn among sessions that last",
        "least_conn; server {A}; server {B} weight=2;",
        burst(200, 9, 50),
        ("A => 200",),
        {"A": [(0, slow(700))], "B": [(0, slow(420))]},
    ),
    Case(
        "a zone, two workers, a dead primary",
        f"zone app 64k; server {{A}} {_LONG}; server {{B}} backup; server {{C}} backup;",
        burst(200, 12, 40),
        ("A, B => 200", "C => 200"),
        {"A": [(0, refuse())]},
        workers=2,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_as_predicted(case: Case, tmp_path: Path) -> None:
    check(replace(case, family="stream"), tmp_path)
