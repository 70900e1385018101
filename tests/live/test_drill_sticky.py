"""Sessions: nginx (since 1.29.6) beside the simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from nginxaudit.drill.behaviour import ok, refuse, slow, status
from nginxaudit.drill.load import Call
from tests.live.drill_compare import Case, check
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]

_LONG = "fail_timeout=1000s"
_LEARN = "sticky learn create=$upstream_cookie_client lookup=$cookie_client zone=sessions:64k;"


def _rounds(clients: str, *starts: int, step: int = 30, method: str = "GET") -> tuple[Call, ...]:
    """At every start a request of each client, ``step`` ms apart."""
    return tuple(
        Call(start + step * number, method, key=client)
        for start in starts
        for number, client in enumerate(clients)
    )


CASES = [
    Case(
        "clients stay at their servers",
        "server {A} weight=2; server {B}; server {C}; sticky cookie srv_id;",
        _rounds("abcdef", 200, 400, 600),
        ("A 200 => 200", "B 200 => 200", "C 200 => 200"),
    ),
    Case(
        "sessions count in the turns of those without one",
        "server {A}; server {B}; sticky cookie srv_id;",
        _rounds("aaaabbbacbaadaebfgaaahijk", 200),
        ("A 200 => 200", "B 200 => 200"),
    ),
    Case(
        "a session moves when its server fails, and stays there",
        "server {A} fail_timeout=1s; server {B} fail_timeout=1s; sticky cookie srv_id expires=1h;",
        _rounds("abcd", 200, 700, 3200, 3500),
        ("A 502, B 200 => 200",),
        {"A": [(0, ok()), (500, refuse()), (1200, ok())]},
    ),
    Case(
        "a failure at all servers binds to the last one",
        "server {A} fail_timeout=1s; server {B} fail_timeout=1s; sticky cookie srv_id;",
        _rounds("ab", 200, 700, 3200, 3500),
        ("502 => 502",),
        {"A": [(0, ok()), (500, refuse()), (1200, ok())], "B": [(0, ok()), (500, refuse()), (1200, ok())]},
    ),
    Case(
        "a failure that is not tried again binds to the server that failed",
        "server {A} max_fails=0; server {B} max_fails=0; sticky cookie srv_id;",
        _rounds("abab", 200, 700),
        ("A 502 => 502",),
        {"A": [(0, refuse()), (500, ok())]},
        "proxy_next_upstream off;",
    ),
    Case(
        "a session at a backup goes back to the primary",
        "server {A} fail_timeout=1s; server {B} backup; server {C} backup; sticky cookie srv_id;",
        _rounds("abcd", 200, 700, 3200),
        ("A 502, B 200 => 200", "C 200 => 200"),
        {"A": [(0, refuse()), (1200, ok())]},
    ),
    Case(
        "a session whose server is full",
        "server {A} max_conns=1; server {B}; sticky cookie srv_id;",
        _rounds("aaab", 200, 1000, step=50),
        ("A 200 => 200", "B 200 => 200"),
        {"A": [(0, slow(300))]},
    ),
    Case(
        "sessions go before least_conn",
        "least_conn; server {A}; server {B}; sticky cookie srv_id;",
        _rounds("abaaab", 200, 600, step=40),
        ("A 200 => 200", "B 200 => 200"),
        {"A": [(0, slow(300))]},
    ),
    Case(
        "sessions go before a hash",
        f"hash $arg_k; server {{A}} {_LONG}; server {{B}} {_LONG}; server {{C}} {_LONG}; sticky cookie srv_id;",
        _rounds("abcdef", 200, 600, 1000),
        ("A 502, ",),
        {"A": [(0, ok()), (500, refuse()), (900, ok())]},
    ),
    Case(
        "routes that servers give",
        f"server {{A}} route=A {_LONG}; server {{B}} route=B {_LONG}; sticky route $cookie_route;",
        _rounds("abc", 200, 600, 1000),
        ("A 502, B 200 => 200",),
        {"A": [(0, ok()), (500, refuse()), (900, ok())]},
    ),
    Case(
        "a failure gives no route",
        "server {A} route=A max_fails=0; server {B} route=B max_fails=0; sticky route $cookie_route;",
        _rounds("abc", 200, 600),
        ("A 502 => 502",),
        {"A": [(0, refuse()), (500, ok())]},
        "proxy_next_upstream off;",
    ),
    Case(
        "sessions that are learned",
        f"server {{A}} {_LONG}; server {{B}} {_LONG}; {_LEARN}",
        _rounds("abcd", 200, 600, 1000),
        ("A 502, B 200 => 200",),
        {"A": [(0, ok()), (500, refuse()), (900, ok())]},
    ),
    Case(
        "an error that is not tried again is learned, too",
        f"server {{A}} {_LONG}; server {{B}} {_LONG}; {_LEARN}",
        _rounds("abcd", 200, 600),
        ("A 503 => 503",),
        {"A": [(0, status(503)), (500, ok())]},
    ),
]


SINCE = (1, 29, 6)
"""First open source release with ``sticky``."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_as_predicted(case: Case, tmp_path: Path) -> None:
    if nginx.version() < SINCE:
        pytest.skip("this nginx has no sticky")
    check(case, tmp_path)
