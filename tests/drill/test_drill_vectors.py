"""What nginx 1.31.4 with one worker and no zone was seen to do, sequence by sequence."""

from __future__ import annotations

from nginxaudit.drill.behaviour import cut, drop_reused, ok, refuse, status
from nginxaudit.drill.load import Call, explicit
from nginxaudit.drill.replay import shown
from nginxaudit.drill.simulation import Simulation
from nginxaudit.drill.spec import ServerSpec
from nginxaudit.drill.tally import Tally
from tests.drill.drill_support import follow, group, servers_of, use


def test_1_backups_alternate() -> None:
    app = group("P", ServerSpec("B1", backup=True), ServerSpec("B2", backup=True))
    assert follow(app, 6, {"P": refuse()}) == [
        "P 502, B1 200", "B2 200", "B1 200", "B2 200", "B1 200", "B2 200",
    ]  # fmt: skip


def test_2_the_last_try_is_passed_on_and_then_nobody_is_left() -> None:
    app = group(ServerSpec("A", fail_timeout_s=1000), ServerSpec("B", fail_timeout_s=1000))
    failing = {"A": status(503), "B": status(503)}
    assert follow(app, 4, failing, use("error timeout http_503")) == [
        "A 503, B 503 => 503", "B 503, none 502 => 502", "none 502 => 502", "none 502 => 502",
    ]  # fmt: skip


def test_3_smooth_weights() -> None:
    assert servers_of(follow(group(ServerSpec("A", weight=5), "B", "C"), 14)) == "AABACAAAABACAA"


def test_4_two_tries_never_reach_the_backup() -> None:
    app = group(ServerSpec("P", max_fails=3), ServerSpec("Q", max_fails=3), ServerSpec("B", backup=True))
    tally = Tally(3, 1)
    simulation = Simulation(app, use(), {0: [(0, refuse())], 1: [(0, refuse())]}, tally)
    simulation.run(explicit((Call(0), Call(10))), trace=True)
    simulation.switch(use(tries=2))
    simulation.run(explicit((Call(20), Call(30), Call(40))), trace=True)
    assert [shown(app, each) for each in tally.traces] == [
        "P 502, Q 502, B 200 => 200", "Q 502, P 502, B 200 => 200", "P 502, Q 502 => 502", "B 200 => 200", "B 200 => 200",
    ]  # fmt: skip


def test_5_a_status_that_is_not_listed_is_no_failure() -> None:
    app = group("A", ServerSpec("B", backup=True))
    assert follow(app, 20, {"A": status(503)}, use("off")) == ["A 503 => 503"] * 20


def test_6_lone_backups_collect_failures() -> None:
    app = group(ServerSpec("D", down=True), ServerSpec("B1", backup=True), ServerSpec("B2", backup=True))
    assert follow(app, 4, {"B1": refuse()}) == ["B1 502, B2 200", "B2 200", "B2 200", "B2 200"]


def test_7_a_refused_post_is_tried_again() -> None:
    app = group(ServerSpec("A", max_fails=0), "B")
    assert follow(app, "POST POST POST POST", {"A": refuse()}) == [
        "A 502, B 200", "B 200", "A 502, B 200", "B 200",
    ]  # fmt: skip


def test_8_a_single_server_is_always_asked() -> None:
    assert follow(group("A"), 5, {"A": refuse()}) == ["A 502 => 502"] * 5


def test_8_a_dropped_reused_connection_is_tried_again_for_free() -> None:
    app = group("A", keepalive=32)
    assert follow(app, 4, {"A": drop_reused()}, use(reuses=True)) == ["A 200", *["A 502, A 200"] * 3]
    assert follow(app, "GET POST", {"A": drop_reused()}, use(reuses=True)) == ["A 200", "A 502 => 502"]


def test_9_a_dropped_reused_connection_takes_a_server_out() -> None:
    app = group(ServerSpec("A", fail_timeout_s=1000), ServerSpec("B", fail_timeout_s=1000), keepalive=32)
    assert follow(app, 6, {"A": drop_reused()}, use(reuses=True)) == [
        "A 200", "B 200", "A 502, B 200", "B 200", "B 200", "B 200",
    ]  # fmt: skip


def test_10_half_a_body_is_no_failure() -> None:
    assert servers_of(follow(group("A", "B"), 8, {"A": cut(), "B": cut()})) == "ABABABAB"


def test_11_a_server_is_out_for_one_second_more_than_it_says() -> None:
    app = group(ServerSpec("A", fail_timeout_s=2), "B")
    start = 1_795_403_641_130
    calls = [Call(start + number * 50) for number in range(150)]
    lines = follow(app, calls, {"A": [(start, refuse())]})
    asked = [call.at // 1000 for call, line in zip(calls, lines, strict=True) if line.startswith("A")]
    assert asked == [1_795_403_641, 1_795_403_644, 1_795_403_647]


def test_12_windows_and_weights() -> None:
    app = group(ServerSpec("A", weight=2, max_fails=2, fail_timeout_s=3), ServerSpec("B", weight=2))
    phases = [(0, status(503)), (5, ok()), (65, status(503)), (105, ok()), (4405, status(503))]
    first = [Call(at) for at in range(0, 110, 10)]
    later = [Call(4300 + at) for at in range(0, 200, 10)]
    lines = follow(app, first + later, {"A": phases}, use("error timeout http_503"))
    assert lines[0] == "A 503, B 200"
    assert servers_of(lines[1:7]) == "BBABAB"
    assert lines[7] == "A 503, B 200"
    assert servers_of(lines[8:11]) == "BBB"
    good = servers_of(lines[11:21])
    assert "AA" not in good[2:] and "BB" not in good[2:], good
    failures = [line for line in lines[21:] if line.startswith("A 503")]
    assert len(failures) == 2
    assert lines[-1] == "B 200"


def test_13_a_new_process_starts_over_with_a_zone_too() -> None:
    for zone in (False, True):
        app = group(ServerSpec("A", fail_timeout_s=1000), "B", zone=zone)
        for _ in range(2):  # every simulation is a fresh nginx
            assert follow(app, 3, {"A": refuse()}) == ["A 502, B 200", "B 200", "B 200"]
