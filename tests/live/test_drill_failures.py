"""Failures, retries and backups: every request of a running nginx is as the simulator says."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.drill.behaviour import (
    blackhole,
    cut,
    drop_reused,
    flap,
    hang,
    ok,
    refuse,
    reset,
    slow,
    status,
)
from tests.live.drill_compare import Case, burst, check, gets
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]

_REUSE = 'proxy_http_version 1.1; proxy_set_header Connection "";'
_PATIENT = "proxy_next_upstream error timeout http_503; proxy_read_timeout 400ms;"
_LONG = "fail_timeout=1000s"

RETRIES = [
    Case(
        "a refused connection is tried elsewhere, POST too",
        "server {A} max_fails=0; server {B};",
        gets(200, 240, 280) + gets(320, 360, 400, method="POST"),
        ("A 502, B 200 => 200",),
        {"A": [(0, refuse())]},
    ),
    Case(
        "off: the first request is lost, and the failure counts",
        "server {A}; server {B};",
        burst(200, 6),
        ("A 502 => 502",),
        {"A": [(0, refuse())]},
        "proxy_next_upstream off;",
    ),
    Case(
        "only timeouts are tried again",
        "server {A} max_fails=2; server {B} max_fails=2;",
        burst(200, 6),
        ("A 502 => 502",),
        {"A": [(0, refuse())]},
        "proxy_next_upstream timeout;",
    ),
    Case(
        "two tries do not reach the third server",
        "server {A} max_fails=2; server {B} max_fails=2; server {C} backup;",
        burst(200, 6),
        ("A 502, B 502 => 502", "C 200 => 200"),
        {"A": [(0, refuse())], "B": [(0, refuse())]},
        "proxy_next_upstream_tries 2;",
    ),
    Case(
        "the time for retries is over after the first timeout",
        "server {A} max_fails=0; server {B};",
        gets(200, 600, 640, 1200),
        ("A 504 => 504",),
        {"A": [(0, hang())]},
        "proxy_read_timeout 300ms; proxy_next_upstream_timeout 200ms;",
    ),
    Case(
        "there is time for one retry and not for two",
        "server {A}; server {B}; server {C};",
        gets(200, 1200, 1300),
        ("A 504, B 504 => 504",),
        {"A": [(0, hang())], "B": [(0, hang())]},
        "proxy_read_timeout 300ms; proxy_next_upstream_timeout 450ms;",
    ),
    Case(
        "a POST that was sent is lost",
        "server {A} max_fails=2 fail_timeout=1000s; server {B};",
        gets(200, 600, method="POST") + gets(650, 1200, 1250),
        ("A 504 => 504", "A 504, B 200 => 200"),
        {"A": [(0, hang())]},
        _PATIENT,
    ),
    Case(
        "non_idempotent sends a POST again",
        "server {A} fail_timeout=1000s; server {B};",
        gets(200, 700, 750, method="POST"),
        ("A 504, B 200 => 200",),
        {"A": [(0, hang())]},
        "proxy_read_timeout 300ms; proxy_next_upstream error timeout non_idempotent;",
    ),
    Case(
        "a body that is not buffered cannot be sent again",
        "server {A} max_fails=2; server {B};",
        gets(200, 600, method="PUT") + gets(650, 1200, 1250),
        ("A 504 => 504", "A 504, B 200 => 200"),
        {"A": [(0, hang())]},
        "proxy_read_timeout 300ms; proxy_request_buffering off;",
    ),
    Case(
        "a client that leaves is no failure of the server",
        "server {A}; server {B};",
        gets(200, 1200, 1250),
        ("A - => 499", "A 200 => 200"),
        {"A": [(0, hang()), (1000, ok())]},
        patience=300,
    ),
    Case(
        "proxy_ignore_client_abort: the timeout counts although the client has left",
        f"server {{A}} {_LONG}; server {{B}};",
        gets(200, 900, 950),
        ("A 504, B 200 => 200",),
        {"A": [(0, hang())]},
        "proxy_ignore_client_abort on; proxy_read_timeout 400ms;",
        patience=200,
    ),
    Case(
        "a client that leaves while nginx connects is no failure of the server",
        f"server {{A}} {_LONG}; server {{B}};",
        gets(200, 900, 950, 1000),
        ("A - => 499",),
        {"A": [(0, blackhole())]},
        "proxy_connect_timeout 400ms;",
        patience=200,
    ),
    Case(
        "an answer that is too late",
        "server {A}; server {B};",
        gets(200, 700, 750),
        ("A 504, B 200 => 200",),
        {"A": [(0, slow(1500))]},
        "proxy_read_timeout 300ms;",
    ),
    Case(
        "lost packets wait for the connect timeout",
        "server {A} max_fails=2; server {B};",
        gets(200, method="POST") + gets(700, 750, 1200, 1250),
        ("A 504, B 200 => 200",),
        {"A": [(0, blackhole())]},
        "proxy_connect_timeout 300ms;",
    ),
    Case(
        "a header that breaks off",
        f"server {{A}} {_LONG}; server {{B}};",
        burst(200, 5),
        ("A 502, B 200 => 200",),
        {"A": [(0, reset())]},
    ),
    Case(
        "a POST whose header breaks off",
        f"server {{A}} {_LONG}; server {{B}};",
        burst(200, 5, method="POST"),
        ("A 502 => 502",),
        {"A": [(0, reset())]},
    ),
    Case(
        "bodies that are cut keep both servers in use",
        "server {A}; server {B};",
        burst(200, 8),
        ("A 200 => 200",),
        {"A": [(0, cut())], "B": [(0, cut())]},
    ),
]

STATUSES = [
    Case(
        "a status that is not listed is no failure",
        "server {A}; server {B} backup;",
        burst(200, 4),
        ("A 503 => 503",),
        {"A": [(0, status(503))]},
    ),
    Case(
        "503 of all servers, until nobody is left",
        f"server {{A}} {_LONG}; server {{B}} {_LONG};",
        burst(200, 5),
        ("A 503, B 503 => 503", "B 503, none 502 => 502", "none 502 => 502"),
        {"A": [(0, status(503))], "B": [(0, status(503))]},
        _PATIENT,
    ),
    Case(
        "404 is tried elsewhere and no failure",
        "server {A}; server {B};",
        burst(200, 6),
        ("A 404, B 200 => 200",),
        {"A": [(0, status(404))]},
        "proxy_next_upstream error timeout http_404;",
    ),
    Case(
        "a listed 503 to a POST is passed on and no failure",
        "server {A}; server {B};",
        burst(200, 6, method="POST"),
        ("A 503 => 503",),
        {"A": [(0, status(503))]},
        _PATIENT,
    ),
    Case(
        "429 takes a server out, 500 that is not listed does not",
        f"server {{A}} {_LONG}; server {{B}} {_LONG};",
        burst(200, 8),
        ("A 429, B 500 => 500",),
        {"A": [(0, status(429))], "B": [(0, status(500))]},
        "proxy_next_upstream error timeout http_429;",
    ),
]

TIME = [
    Case(
        "out for fail_timeout and the second of the failure, then one probe",
        "server {A} fail_timeout=1s; server {B};",
        gets(300, 350, 1600, 1650, 2400, 2450, 3600, 4400, 4450),
        ("A 502, B 200 => 200",),
        {"A": [(0, refuse())]},
    ),
    Case(
        "a probe that succeeds brings the server back",
        "server {A} fail_timeout=1s; server {B};",
        gets(300, 350, 2400, 2450, 2500, 2550),
        ("A 502, B 200 => 200", "A 200 => 200"),
        {"A": [(0, refuse()), (1200, ok())]},
    ),
    Case(
        "three failures, far apart, still add up",
        "server {A} max_fails=3 fail_timeout=1s; server {B} max_fails=3 fail_timeout=1s;",
        gets(300, 2400, 4400, 4450, 4500),
        ("A 502, B 200 => 200",),
        {"A": [(0, refuse())]},
    ),
    Case(
        "a weight that failures lowered grows again",
        "server {A} weight=4 max_fails=2 fail_timeout=1s; server {B} weight=2;",
        gets(200) + burst(500, 14, 30),
        ("A 502, B 200 => 200", "A 200 => 200"),
        {"A": [(0, refuse()), (350, ok())]},
    ),
    Case(
        "flapping: found out again and again",
        "server {A} fail_timeout=1s; server {B};",
        tuple(call for second in range(4) for call in burst(second * 1000 + 600, 4)),
        ("A 502, B 200 => 200", "A 200 => 200"),
        {"A": [(0, flap(1200, 2000))]},
    ),
    Case(
        "fail_timeout=0 skips a server within its second",
        "server {A} fail_timeout=0; server {B};",
        burst(300, 4) + burst(1300, 4),
        ("A 502, B 200 => 200",),
        {"A": [(0, refuse())]},
    ),
    Case(
        "503 takes out, successes in between count only later",
        "server {A} weight=2 max_fails=2 fail_timeout=1s; server {B} weight=2;",
        gets(300, 400, 450, 500, 550, 700, 750, 800, 2400, 2450, 2500, 2550),
        ("A 503, B 200 => 200", "A 200 => 200"),
        {"A": [(0, status(503)), (350, ok()), (600, status(503)), (1200, ok())]},
        _PATIENT,
    ),
]

GROUPS = [
    Case(
        "weights 5, 1, 1", "server {A} weight=5; server {B}; server {C};", burst(200, 15), ("C 200 => 200",)
    ),
    Case(
        "a lone server is asked every time",
        f"server {{A}} {_LONG};",
        burst(200, 4),
        ("A 502 => 502",),
        {"A": [(0, refuse())]},
    ),
    Case(
        "beside a down server the lone one is taken out",
        f"server {{A}} {_LONG}; server {{B}} down;",
        burst(200, 4),
        ("A 502 => 502", "none 502 => 502"),
        {"A": [(0, refuse())]},
    ),
    Case(
        "down servers get nothing and count for no try",
        f"server {{A}} {_LONG}; server {{B}} down; server {{C}} {_LONG};",
        burst(200, 5),
        ("A 503, C 503 => 503",),
        {"A": [(0, status(503))], "C": [(0, status(503))]},
        _PATIENT,
    ),
    Case(
        "several backups take turns",
        f"server {{A}} {_LONG}; server {{B}} backup; server {{C}} weight=2 backup;",
        burst(200, 8),
        ("A 502, C 200 => 200", "B 200 => 200"),
        {"A": [(0, refuse())]},
    ),
    Case(
        "backups fail over, too, and leave again",
        "server {A} fail_timeout=1s; server {B} fail_timeout=1s backup; server {C} backup;",
        burst(200, 4) + burst(1300, 3) + burst(2300, 4),
        ("A 502, B 502, C 200 => 200", "A 200 => 200"),
        {"A": [(0, refuse()), (2100, ok())], "B": [(0, refuse())]},
    ),
    Case(
        "primaries that are down leave it to the backups",
        f"server {{D}} down; server {{B}} {_LONG} backup; server {{C}} {_LONG} backup;",
        burst(200, 4),
        ("B 502, C 200 => 200",),
        {"B": [(0, refuse())]},
    ),
    Case(
        "nobody is left",
        f"server {{A}} {_LONG}; server {{B}} {_LONG} backup;",
        burst(200, 3),
        ("A 502, B 502 => 502", "none 502 => 502"),
        {"A": [(0, refuse())], "B": [(0, refuse())]},
    ),
    Case(
        "nobody is left after a timeout: 502 it is",
        f"server {{A}} {_LONG}; server {{B}} {_LONG};",
        gets(200, 250, 900),
        ("A 504, none 502 => 502",),
        {"A": [(0, hang())], "B": [(0, refuse())]},
        "proxy_read_timeout 300ms;",
    ),
    Case(
        "a zone with one worker is the same",
        "zone app 64k; server {A} weight=2 fail_timeout=1s; server {B}; server {C} backup;",
        burst(200, 6) + burst(2300, 6),
        ("A 502, B 502, C 200 => 200", "A 200 => 200"),
        {"A": [(0, refuse()), (1500, ok())], "B": [(0, refuse())]},
    ),
]

KEEPALIVE = [
    Case(
        "a lone server that drops reused connections",
        "server {A}; keepalive 4;",
        burst(200, 4) + burst(400, 2, method="POST") + burst(600, 2),
        ("A 502, A 200 => 200", "A 502 => 502"),
        {"A": [(0, drop_reused())]},
        _REUSE,
    ),
    Case(
        "a dropped connection takes a server out",
        f"server {{A}} {_LONG}; server {{B}}; keepalive 4;",
        burst(200, 6),
        ("A 502, B 200 => 200",),
        {"A": [(0, drop_reused())]},
        _REUSE,
    ),
    Case(
        "a restart of the server closes idle connections",
        "server {A} fail_timeout=1s; server {B}; keepalive 4;",
        burst(200, 4) + burst(700, 4) + burst(2300, 4),
        ("A 502, B 200 => 200",),
        {"A": [(600, refuse()), (1200, ok())]},
        _REUSE,
    ),
    Case(
        "a process that dies resets what it was answering",
        "server {A}; server {B};",
        gets(200, 260) + gets(320, method="POST") + gets(500, 550),
        ("A 502, B 200 => 200", "A 502 => 502"),
        {"A": [(0, slow(800)), (420, refuse())], "B": [(0, slow(300))]},
    ),
    Case(
        "a process that ends answers what it has accepted",
        "server {A}; server {B};",
        gets(200, 260) + gets(320, method="POST") + gets(500, 550),
        ("A 200 => 200", "A 502, B 200 => 200"),
        {"A": [(0, slow(400)), (420, refuse(graceful=True))], "B": [(0, slow(300))]},
    ),
]


@pytest.mark.parametrize(
    "case", [*RETRIES, *STATUSES, *TIME, *GROUPS, *KEEPALIVE], ids=lambda case: case.name
)
def test_as_predicted(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
