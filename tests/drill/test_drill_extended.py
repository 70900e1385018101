"""Active checks, slow start, sessions and queues against numbers that were worked out by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from nginxaudit.drill.behaviour import Behaviour, blackhole, hang, ok, refuse, slow, status
from nginxaudit.drill.load import Call, Traffic
from nginxaudit.drill.probing import health, longest_back, longest_out, longest_start
from nginxaudit.drill.ramp import next_step, weight_at
from nginxaudit.drill.running import run
from nginxaudit.drill.scenarios import scenarios
from nginxaudit.drill.spec import ActiveCheck, Queue, ServerSpec, Sticky
from tests.drill.drill_support import follow, group, servers_of, use

PLUS = ActiveCheck("health_check", 5000, 1, 1, 60_000, 60_000)
MODULE = ActiveCheck("check", 3000, 5, 2, 1000, 1000, looks_at="connect", starts_down=True)
FAULT = 100_000


def _seen(check: ActiveCheck, does: Behaviour, end: int = 200_000, **more: int) -> tuple[int, int]:
    """Ms from a failure until the server is out, and from its end until it is back."""
    changes = health([check], [(FAULT, does), (end, ok())], 50, 400_000, **more)
    assert [up for _, up in changes] == [False, True]
    return changes[0][0] - FAULT, changes[1][0] - end


def test_a_failure_is_seen_within_an_interval() -> None:
    out = [_seen(PLUS, refuse(), seed=seed)[0] for seed in range(50)]
    assert all(0 <= each <= 5050 for each in out)  # a good probe takes 50 ms, then 5 s pass
    assert max(out) - min(out) > 3000  # it may come at any moment of it


def test_a_hanging_server_is_seen_after_the_timeout() -> None:
    for seed in range(10):
        out, _ = _seen(PLUS, hang(), 300_000, seed=seed)
        assert 60_000 <= out <= 65_050


@pytest.mark.parametrize(
    ("does", "seen"),
    [
        (refuse(), True), (hang(), False), (status(503), False), (slow(5000), False), (blackhole(), True),
    ],
)  # fmt: skip
def test_a_check_of_tcp_sees_only_that_nobody_listens(does: Behaviour, seen: bool) -> None:
    assert bool(health([MODULE], [(FAULT, does)], 50, 200_000)) is seen


def test_five_failures_of_the_module_take_four_to_five_intervals() -> None:
    """A probe that takes no time is sent with every second timer of half an interval."""
    for seed in range(30):
        out, back = _seen(MODULE, refuse(), seed=seed)
        assert 12_000 <= out <= 15_000
        assert 3_000 <= back <= 6_000


def test_answers_that_take_time_stretch_the_intervals_of_one_worker() -> None:
    """The timer 1.0 intervals after a probe finds its result younger than that; the next comes at 1.5."""
    http = ActiveCheck("check", 1000, 2, 3, 500, 500)
    for seed in range(30):
        _, back = _seen(http, refuse(), seed=seed)
        assert 3_050 <= back <= 4_550  # the first within 1.5 s, then twice 1.5 s, and 50 ms


def test_more_workers_probe_sooner() -> None:
    http = ActiveCheck("check", 1000, 2, 3, 500, 500)
    one = sum(_seen(http, refuse(), seed=seed)[1] for seed in range(30))
    four = sum(_seen(http, refuse(), seed=seed, workers=4)[1] for seed in range(30))
    assert four < one * 0.9


@pytest.mark.parametrize(
    "check", [PLUS, MODULE, ActiveCheck("health_check", 2000, 3, 2, 900, 900, jitter=700)]
)
def test_the_longest_times_hold(check: ActiveCheck) -> None:
    for seed in range(60):
        out, back = _seen(check, refuse(), seed=seed)
        assert out <= longest_out(check)
        assert back <= longest_back(check)


def test_the_longest_times_by_hand() -> None:
    """A good probe takes 50 ms: of Plus 5050 ms lie between two begins; of the module 1.5 intervals, and one after a refusal."""
    http = ActiveCheck("check", 1000, 3, 2, 500, 500, starts_down=True)
    assert longest_out(PLUS) == 5_050
    assert longest_out(PLUS, 60_000) == 65_050
    assert longest_back(PLUS) == 5_050
    assert longest_out(http) == 1_500 + 2 * 1_000
    assert longest_out(http, 500) == 1_500 + 2 * 1_500 + 500
    assert longest_back(http) == 1_000 + 1_500 + 50
    assert longest_start(http) == 1_000 + 1_500 + 50
    assert longest_start(PLUS) == 0


def test_after_a_start_a_server_waits_for_its_good_probes() -> None:
    changes = health([MODULE], [], 50, 100_000, started=False)
    assert changes[0] == (0, False)
    assert changes[1][1] and 3000 <= changes[1][0] <= 6000
    assert health([PLUS], [], 50, 100_000, started=False) == ()


def test_a_server_is_healthy_when_all_checks_say_so() -> None:
    late = ActiveCheck("health_check", 5000, 3, 4, 1000, 1000)
    both = health([PLUS, late], [(FAULT, refuse()), (200_000, ok())], 50, 400_000, seed=3)
    alone = health([PLUS], [(FAULT, refuse()), (200_000, ok())], 50, 400_000, seed=3)
    assert [up for _, up in both] == [False, True]
    assert both[0] == alone[0] and both[1][0] > alone[1][0] + 10_000


def test_requests_avoid_a_server_once_a_check_has_failed() -> None:
    """Nothing counts passively (``max_fails=0``): until the probe every second request meets the dead server first."""
    app = group(ServerSpec("A", max_fails=0), ServerSpec("B", max_fails=0), zone=True, checks=(PLUS,))
    calls = [Call(each * 1000) for each in range(60)]
    lines = follow(app, calls, {"A": [(20_000, refuse()), (40_000, ok())]}, response=50)
    failed = [index for index, line in enumerate(lines) if line == "A 502, B 200"]
    assert failed and failed[0] >= 20 and failed[-1] <= 26
    assert servers_of(lines[27:40]) == "B" * 13
    assert Counter(servers_of(lines[47:]))["A"] >= 6


def test_a_single_server_that_a_check_took_out_gets_nothing() -> None:
    lines = follow(
        group("A", checks=(PLUS,), zone=True), [Call(0), Call(30_000)], {"A": [(10_000, refuse())]}
    )
    assert lines == ["A 200", "none 502 => 502"]


@pytest.mark.parametrize(
    ("elapsed", "weight"), [(0, 1), (299, 1), (300, 4), (15_000, 200), (29_999, 396), (30_000, 400)]
)
def test_weights_of_a_slow_start(elapsed: int, weight: int) -> None:
    """``weight=4 slow_start=30s``: one percent of 400 every 300 ms."""
    assert weight_at(4, elapsed, 30_000) == weight


def test_steps_of_a_slow_start() -> None:
    assert next_step(0, 30_000) == 300
    assert next_step(300, 30_000) == 600
    elapsed, steps = 0, 0
    while elapsed < 700:
        elapsed, steps = next_step(elapsed, 700), steps + 1
    assert (elapsed, steps) == (700, 100)


def test_a_server_that_is_back_gets_its_share_little_by_little() -> None:
    """Its part of two equal servers is p / (1 + p): in each quarter of the slow start 1 - 4 ln((1 + p₂) / (1 + p₁))."""
    app = group(ServerSpec("A", slow_start=40_000), "B", zone=True, checks=(PLUS,))
    calls = [Call(each * 10) for each in range(12_000)]
    script = [(5_000, refuse()), (20_000, ok())]
    begin = health([PLUS], script, 1, 200_000, seed=2)[1][0] // 10
    lines = follow(app, calls, {"A": script}, response=1)
    shares = [servers_of(lines[at : at + 1000]).count("A") for at in range(begin, begin + 4000, 1000)]
    assert shares == pytest.approx([107, 271, 383, 466], abs=6)
    assert servers_of(lines[begin + 4001 :]).count("A") == pytest.approx((12_000 - begin - 4001) / 2, abs=1)


def test_a_start_is_no_slow_start() -> None:
    check = ActiveCheck("health_check", 5000, 1, 1, 1000, 1000, starts_down=True)
    app = group(ServerSpec("A", slow_start=40_000), "B", zone=True, checks=(check,))
    outcome = run(app, use(), Traffic(), scenarios(app, use(), Traffic(), ["start"])[0])
    a, b = outcome.servers
    assert abs(a.attempts - b.attempts) <= 1


def test_without_slow_start_the_whole_share_is_back_at_once() -> None:
    app = group("A", "B", zone=True, checks=(PLUS,))
    calls = [Call(each * 10) for each in range(6_000)]
    lines = follow(app, calls, {"A": [(5_000, refuse()), (20_000, ok())]}, response=1)
    assert servers_of(lines[4000:5000]).count("A") == 500


def test_a_passive_failure_ends_in_a_slow_start_too() -> None:
    app = group(ServerSpec("A", slow_start=10_000, fail_timeout_s=2), "B")
    calls = [Call(each * 100) for each in range(300)]
    lines = follow(app, calls, {"A": [(0, refuse()), (1_000, ok())]}, response=1)
    assert servers_of(lines[35:85]).count("A") < 12
    assert servers_of(lines[200:]).count("A") == 50


def test_a_client_stays_at_its_server() -> None:
    app = group("A", "B", "C", sticky=Sticky("cookie"))
    calls = [Call(each * 10, address=f"10.0.{each % 3}.1") for each in range(30)]
    assert servers_of(follow(app, calls)) == "ABC" * 10


def test_a_session_moves_when_its_server_fails_and_stays_there() -> None:
    app = group("A", "B", sticky=Sticky("cookie"))
    calls = [Call(each * 1000, address="10.0.0.1") for each in range(30)]
    lines = follow(app, calls, {"A": [(4_500, refuse()), (5_500, ok())]})
    assert lines[:5] == ["A 200"] * 5
    assert lines[5] == "A 502, B 200"
    assert lines[6:] == ["B 200"] * 24


def test_a_session_at_a_backup_goes_back_to_the_primaries() -> None:
    app = group(ServerSpec("A", fail_timeout_s=2), ServerSpec("B", backup=True), sticky=Sticky("cookie"))
    calls = [Call(each * 1000, address="10.0.0.1") for each in range(10)]
    lines = follow(app, calls, {"A": [(1_500, refuse()), (2_500, ok())]})
    assert lines[:6] == ["A 200", "A 200", "A 502, B 200", "B 200", "B 200", "A 200"]


def test_a_session_that_nobody_used_is_forgotten() -> None:
    app = group("A", "B", sticky=Sticky("learn", 5_000))
    calls = [Call(0, address="10.0.0.1"), Call(4_000, address="10.0.0.1"), Call(10_000, address="10.0.0.1")]
    assert servers_of(follow(app, calls)) == "AAB"


@pytest.mark.parametrize(("name", "late"), [("health_check", "B 200"), ("check", "A 503 => 503")])
def test_sessions_and_active_checks(name: str, late: str) -> None:
    """Tengine's sticky sends the client of a server that answers errors on to it, although its check has found it down."""
    check = ActiveCheck(name, 1000, 2, 2, 500, 500)
    app = group("A", "B", sticky=Sticky("cookie"), checks=(check,), zone=True)
    calls = [Call(each * 500, address="10.0.0.1") for each in range(30)]
    lines = follow(app, calls, {"A": [(3_000, status(503))]})
    assert lines[:6] == ["A 200"] * 6 and lines[6] == "A 503 => 503"
    assert set(lines[14:]) == {late}


def test_a_full_server_lets_requests_wait() -> None:
    """One connection, answers of 1 s: requests 10 ms apart are answered one after the other, the fourth finds no place."""
    app = group(ServerSpec("A", max_conns=1), queue=Queue(2, 10_000))
    assert follow(app, 4, response=1000) == ["A 200", "A 200", "A 200", "none 502 => 502"]


def test_a_request_waits_no_longer_than_the_timeout() -> None:
    """Two wait at 10 and 20 ms; the first gets the server at 1000 ms and has it until 2000 ms, the other gives up at 1520 ms."""
    app = group(ServerSpec("A", max_conns=1), queue=Queue(5, 1500))
    assert follow(app, 3, response=1000) == ["A 200", "A 200", "none 502 => 502"]


def test_a_client_that_leaves_the_queue() -> None:
    app = group("A", "B", queue=Queue(5))
    both = {"A": refuse(), "B": refuse()}
    assert follow(app, 2, both, use("off"), client_timeout=500)[1:] == ["B 502 => 502"]
    assert follow(app, 3, both, use("off"), client_timeout=500)[2:] == [" => 499"]


def test_who_waits_is_served_when_a_server_is_available_again() -> None:
    """``fail_timeout`` 3 s after a failure in second 0: with second 4 the server is asked again."""
    app = group(ServerSpec("A", fail_timeout_s=3), "B", queue=Queue(5, 20_000))
    both = {name: [(0, refuse()), (2_000, ok())] for name in "AB"}
    lines = follow(app, [Call(0), Call(100), Call(8_000)], both, use(tries=2))
    assert lines[1] in ("A 200", "B 200")
