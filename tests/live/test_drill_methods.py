"""Balancing methods, limits of connections and several workers: nginx beside the simulator."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from nginxaudit.drill.behaviour import hang, ok, refuse, slow, status
from nginxaudit.drill.load import Call
from tests.live.drill_compare import Case, burst, check, count, gets
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]

_LONG = "fail_timeout=1000s"
_THREE = f"server {{A}} weight=2 {_LONG}; server {{B}} {_LONG}; server {{C}} {_LONG};"

KEYS = tuple(Call(200 + 20 * number, key=f"client-{number % 12}") for number in range(30))
ADDRESSES = tuple(
    Call(200 + 20 * number, address=f"127.{number * 7 % 250}.{number}.1") for number in range(30)
)

METHODS = [
    Case("hash", f"hash $arg_k; {_THREE}", KEYS, ("A 200 => 200", "C 200 => 200")),
    Case(
        "hash when a server refuses",
        f"hash $arg_k; {_THREE}",
        KEYS,
        ("A 502, ", "C 200 => 200"),
        {"A": [(0, refuse())]},
    ),
    Case(
        "consistent hash when a server refuses and comes back",
        "hash $arg_k consistent; server {A} weight=2 fail_timeout=1s; server {B}; server {C};",
        KEYS + tuple(Call(call.at + 2100, key=call.key) for call in KEYS),
        ("A 502, ", "A 200 => 200", "C 200 => 200"),
        {"A": [(0, refuse()), (1200, ok())]},
    ),
    Case("hash without a key is round robin", f"hash $arg_none; {_THREE}", burst(200, 8), ("C 200 => 200",)),
    Case(
        "ip_hash, one server down, one refusing",
        f"ip_hash; server {{A}} {_LONG}; server {{B}} down; server {{C}}; server {{D}};",
        ADDRESSES,
        ("A 502, ", "C 200 => 200", "D 200 => 200"),
        {"A": [(0, refuse())]},
    ),
    Case(
        "hash reaches a backup that is written before the method",
        f"server {{A}} {_LONG}; server {{B}} {_LONG}; server {{C}} backup; hash $arg_k;",
        KEYS[:8],
        ("C 200 => 200",),
        {"A": [(0, refuse())], "B": [(0, refuse())]},
    ),
]

CONNECTIONS = [
    Case(
        "least_conn avoids the server that is slow",
        "least_conn; server {A}; server {B}; server {C};",
        burst(200, 14, 50),
        ("A 200 => 200", "B 200 => 200"),
        {"A": [(0, slow(1500))], "B": [(0, slow(320))], "C": [(0, slow(120))]},
    ),
    Case(
        "least_conn with weights, one server failing",
        f"least_conn; server {{A}} weight=3; server {{B}} {_LONG}; server {{C}};",
        burst(200, 14, 50),
        ("B 502, ",),
        {"A": [(0, slow(370))], "B": [(0, refuse())], "C": [(0, slow(420))]},
    ),
    Case(
        "least_conn among backups",
        f"least_conn; server {{A}} {_LONG}; server {{B}} backup; server {{C}} backup;",
        burst(200, 10, 50),
        ("A 502, ", "B 200 => 200"),
        {"A": [(0, refuse())], "B": [(0, slow(1000))], "C": [(0, slow(80))]},
    ),
    Case(
        "max_conns fills one server, then the other, then the backup, then nobody is left",
        "server {A} max_conns=2; server {B} max_conns=1; server {C} max_conns=1 backup;",
        burst(200, 7, 50) + gets(1500, 1550, 1600),
        ("C 200 => 200", "none 502 => 502"),
        {name: [(0, slow(900))] for name in "ABC"},
    ),
    Case(
        "max_conns of a lone server",
        "zone app 64k; server {A} max_conns=2;",
        burst(200, 4, 50) + gets(1100),
        ("none 502 => 502",),
        {"A": [(0, slow(600))]},
    ),
    Case(
        "requests that hang at the same time all count",
        "server {A} max_fails=3 fail_timeout=1s; server {B};",
        burst(200, 6, 50) + gets(1200, 1250, 1300) + burst(2600, 4),
        ("A 504, B 200 => 200", "A 200 => 200"),
        {"A": [(0, hang()), (1100, ok())]},
        "proxy_read_timeout 500ms;",
    ),
]

WORKERS = [
    Case(
        "two workers find a dead server each on its own",
        f"server {{A}} {_LONG}; server {{B}};",
        burst(200, 24, 20),
        ("A 502, B 200 => 200",),
        {"A": [(0, refuse())]},
        workers=2,
    ),
    Case(
        "two workers with a zone find it once",
        f"zone app 64k; server {{A}} {_LONG}; server {{B}} weight=2; server {{C}};",
        burst(200, 24, 20),
        ("A 502, C 200 => 200",),
        {"A": [(0, refuse())]},
        workers=2,
    ),
    Case(
        "four workers count their failures apart",
        f"server {{A}} max_fails=2 {_LONG}; server {{B}} weight=2 {_LONG}; server {{C}} backup;",
        burst(200, 40, 15),
        ("A 503, B 200 => 200",),
        {"A": [(0, status(503))]},
        "proxy_next_upstream error timeout http_503;",
        workers=4,
    ),
]


@pytest.mark.parametrize("case", [*METHODS, *CONNECTIONS, *WORKERS], ids=lambda case: case.name)
def test_as_predicted(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


def _near(measured: float, predicted: float, share: float, number: int) -> bool:
    """Two draws of ``number`` with a probability of ``share`` differ by at most five standard deviations."""
    return abs(measured - predicted) <= 5 * math.sqrt(2 * number * share * (1 - share))


def test_random_shares_by_weight(tmp_path: Path) -> None:
    case = Case("random", "random; server {A} weight=3; server {B};", burst(200, 300, 5), ("B 200 => 200",))
    measured, predicted = count(case, tmp_path)
    assert measured.keys() == predicted.keys()
    for name, share in (("A", 0.75), ("B", 0.25)):
        assert _near(measured[f"{name} 200 => 200"], share * 300, share, 300), measured
        assert _near(predicted[f"{name} 200 => 200"], share * 300, share, 300), predicted


def test_random_finds_a_dead_server_once(tmp_path: Path) -> None:
    """Which request is tried again is chance; that there is one, and only one, is not: as long as none is on its way
    to the server while another one finds it dead.
    """
    case = Case(
        "random",
        f"random; server {{A}} {_LONG}; server {{B}}; server {{C}};",
        burst(200, 60, 10),
        ("A 502, ",),
        {"A": [(0, refuse())]},
        in_turn=True,
    )
    for side in count(case, tmp_path):
        assert sum(number for line, number in side.items() if "A 502" in line) == 1
        assert sum(side.values()) == 60


def test_random_two_avoids_the_server_that_is_slow(tmp_path: Path) -> None:
    """The slow server holds connections and loses nearly every comparison."""
    case = Case(
        "random two",
        "random two least_conn; server {A}; server {B}; server {C};",
        burst(200, 100, 10),
        ("B 200 => 200",),
        {"A": [(0, slow(900))]},
    )
    measured, predicted = count(case, tmp_path)
    assert sum(measured.values()) == sum(predicted.values()) == 100
    assert 1 <= measured["A 200 => 200"] <= 12, measured
    assert 1 <= predicted["A 200 => 200"] <= 12, predicted
