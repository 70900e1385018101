"""What counts as a failure, what is tried again, and when, one rule per test."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from nginxaudit.drill.behaviour import (
    blackhole,
    cut,
    flap,
    hang,
    ok,
    refuse,
    reset,
    slow,
    status,
)
from nginxaudit.drill.load import Call
from nginxaudit.drill.replay import replay
from nginxaudit.drill.spec import ServerSpec
from tests.drill.drill_support import follow, group, use

ONE = [Call(0)]


def _ends(app: object, calls: list[Call], does: dict[str, object], how: object, **more: int) -> list[int]:
    schedules = {name: [(0, each)] for name, each in does.items()}
    return [each.end for each in replay(app, how, calls, schedules, **more)]  # type: ignore[arg-type]


def test_timeouts_take_their_time() -> None:
    how = use(connect=2000, read=7000)
    app = group("A", "B")
    assert _ends(app, ONE, {"A": blackhole()}, how) == [2001]
    assert _ends(app, ONE, {"A": hang()}, how) == [7001]
    assert _ends(app, ONE, {"A": slow(8000)}, how) == [7001]
    assert _ends(app, ONE, {"A": slow(6000)}, how) == [6000]


def test_post_is_not_sent_twice_but_connected_twice() -> None:
    app = group("A", "B")
    assert follow(app, "POST", {"A": hang()}) == ["A 504 => 504"]
    assert follow(app, "POST", {"A": reset()}) == ["A 502 => 502"]
    assert follow(app, "POST", {"A": blackhole()}) == ["A 504, B 200"]
    assert follow(app, "POST", {"A": hang()}, use("error timeout non_idempotent")) == ["A 504, B 200"]
    assert follow(app, "PUT", {"A": hang()}) == ["A 504, B 200"]


def test_the_handshake_of_tls_has_the_connect_timeout() -> None:
    app = group("A", "B")
    how = use(tls=True, connect=1000)
    assert follow(app, "POST", {"A": hang()}, how) == ["A 504, B 200"]
    assert _ends(app, ONE, {"A": hang()}, how) == [1001]


def test_the_kernel_gives_up_connecting_before_a_long_timeout() -> None:
    app = group("A", "B")
    how = use(connect=600_000, read=600_000)
    assert _ends(app, ONE, {"A": blackhole()}, how) == [134_001]
    assert follow(app, 1, {"A": blackhole()}, how) == ["A 502, B 200"]
    assert _ends(app, ONE, {"A": hang()}, use(tls=True, connect=600_000)) == [600_001]


def test_an_unbuffered_body_is_not_sent_twice() -> None:
    app = group("A", "B")
    assert follow(app, "PUT", {"A": hang()}, use(buffered=False)) == ["A 504 => 504"]
    assert follow(app, "GET", {"A": hang()}, use(buffered=False)) == ["A 504, B 200"]


def test_off_and_missing_conditions() -> None:
    app = group(ServerSpec("A", fail_timeout_s=1000), "B")
    assert follow(app, 2, {"A": refuse()}, use("off")) == ["A 502 => 502", "B 200"]
    assert follow(app, 2, {"A": refuse()}, use("timeout")) == ["A 502 => 502", "B 200"]
    assert follow(app, 1, {"A": hang()}, use("error")) == ["A 504 => 504"]


def test_the_time_for_retries() -> None:
    app = group("A", "B")
    assert follow(app, ONE, {"A": blackhole()}, use(connect=1000, budget=1000)) == ["A 504 => 504"]
    assert follow(app, ONE, {"A": blackhole()}, use(connect=1000, budget=1001)) == ["A 504, B 200"]


def test_tries_are_capped() -> None:
    app = group("A", "B", "C")
    both = {"A": refuse(), "B": refuse()}
    assert follow(app, ONE, both, use(tries=2)) == ["A 502, B 502 => 502"]
    assert follow(app, ONE, both) == ["A 502, B 502, C 200"]


def test_404_is_tried_again_without_being_a_failure() -> None:
    app = group("A", "B")
    lines = follow(app, 5, {"A": status(404)}, use("error http_404"))
    assert lines == ["A 404, B 200", "B 200", "A 404, B 200", "B 200", "A 404, B 200"]
    assert follow(app, 2, {"A": status(404)}) == ["A 404 => 404", "B 200"]


def test_a_status_on_the_last_try_or_for_post_is_a_success() -> None:
    app = group("A", "B")
    assert follow(app, "POST POST POST", {"A": status(503)}, use("http_503")) == [
        "A 503 => 503", "B 200", "A 503 => 503",
    ]  # fmt: skip


@pytest.mark.parametrize(("version", "expected"), [((1, 18, 0), ["A 503, none 502 => 502"]), ((1, 19, 6), ["A 503 => 503"])])  # fmt: skip
def test_down_servers_count_as_tries_before_1_19_6(
    version: tuple[int, int, int], expected: list[str]
) -> None:
    app = group("A", ServerSpec("D", down=True), version=version)
    assert follow(app, 1, {"A": status(503)}, use("http_503")) == expected


def test_a_client_that_gives_up_is_no_failure() -> None:
    app = group("A", "B")
    lines = follow(app, [Call(0), Call(10_000), Call(20_000)], {"A": hang()}, client_timeout=5000)
    assert lines == ["A 0 => 499", "B 200", "A 0 => 499"]


def test_a_client_that_is_ignored_does_not_stop_the_attempt() -> None:
    app = group(ServerSpec("A", fail_timeout_s=1000), "B")
    calls = [Call(0), Call(70_000), Call(80_000)]
    lines = follow(app, calls, {"A": hang()}, use(ignores_abort=True), client_timeout=5000)
    assert lines == ["A 504, B 200 => 499", "B 200", "B 200"]


def test_a_process_that_dies_resets_what_it_was_answering() -> None:
    app = group("A", "B")
    gone = {"A": [(50, refuse())]}
    assert follow(app, "GET", gone, response=100) == ["A 502, B 200"]
    assert follow(app, "POST", gone, response=100) == ["A 502 => 502"]
    assert follow(app, "POST", {"A": [(50, refuse(graceful=True))]}, response=100) == ["A 200"]


def test_what_was_being_answered_when_the_network_fails_is_told_apart() -> None:
    from nginxaudit.drill.load import explicit
    from nginxaudit.drill.simulation import Simulation
    from nginxaudit.drill.tally import Tally

    died = []
    for fault in (blackhole(), hang()):
        tally = Tally(2, 1)
        simulation = Simulation(
            group("A", "B"), use(), {0: [(20, fault)]}, tally, response=100, client_timeout=5000
        )
        simulation.run(explicit((Call(0), Call(10), Call(30))))
        assert sum(tally.gave_up) == 2
        died.append(tally.died)
    assert died == [1, 0]


def test_a_hung_process_that_is_killed_resets() -> None:
    app = group("A", "B")
    assert _ends(app, ONE, {"A": hang()}, use()) == [60_001]
    traced = replay(app, use(), ONE, {"A": [(0, hang()), (3000, refuse())]})
    assert traced[0].end == 3001
    assert [each.status for each in traced[0].attempts] == [502, 200]


def test_a_reused_connection_into_a_black_hole_meets_the_read_timeout() -> None:
    app = group("A", "B", keepalive=4)
    how = use(reuses=True, connect=1000, read=9000)
    calls = [Call(0), Call(1000), Call(2000)]
    traced = replay(app, how, calls, {"A": [(1500, blackhole())]})
    assert traced[2].end == 2000 + 9000 + 1
    fresh = replay(app, use(connect=1000, read=9000), calls, {"A": [(1500, blackhole())]})
    assert fresh[2].end == 2000 + 1000 + 1


def test_a_connection_that_died_while_answering_costs_no_try() -> None:
    """A single server whose process is replaced: the reused connection allows a second attempt."""
    app = group("A", keepalive=4)
    dies = {"A": [(1050, refuse()), (1051, ok())]}
    calls = [Call(0), Call(1000)]
    assert follow(app, calls, dies, use(reuses=True), response=100) == ["A 200", "A 502, A 502 => 502"]
    assert follow(app, calls, dies, use(), response=100) == ["A 200", "A 502 => 502"]


def test_connections_are_kept_up_to_the_size_and_the_number_of_requests() -> None:
    from nginxaudit.drill.behaviour import drop_reused

    app = group("A", keepalive=4, keepalive_requests=1)
    assert follow(app, 3, {"A": drop_reused()}, use(reuses=True)) == ["A 200"] * 3
    idle = group("A", keepalive=4, keepalive_timeout=1000)
    calls = [Call(0), Call(500), Call(5000)]
    assert follow(idle, calls, {"A": drop_reused()}, use(reuses=True)) == ["A 200", "A 502, A 200", "A 200"]


def test_flapping() -> None:
    calls = [Call(at) for at in (500, 1500, 2500, 3500)]
    lines = follow(group("A"), calls, {"A": flap(1000, 1000)})
    assert lines == ["A 502 => 502", "A 200", "A 502 => 502", "A 200"]


@pytest.mark.parametrize(("zone", "lost"), [(False, 3), (True, 1)])
def test_without_a_zone_every_worker_finds_out(zone: bool, lost: int) -> None:
    app = group(ServerSpec("A", fail_timeout_s=1000), "B", zone=zone)
    calls = [Call(number * 10, worker=number % 3) for number in range(30)]
    lines = follow(app, calls, {"A": refuse()}, use("off"), workers=3)
    assert sum("502" in line for line in lines) == lost


def test_stream_tries_again_only_while_connecting() -> None:
    app = group("A", "B", family="stream")
    how = use(protocol="stream", idle=20_000, connect=1000)
    assert follow(app, 1, {"A": refuse()}, how) == ["A 502, B 200"]
    assert follow(app, 1, {"A": blackhole()}, how) == ["A 504, B 200"]
    assert follow(app, 1, {"A": refuse()}, use("off", protocol="stream")) == ["A 502 => 502"]
    assert _ends(app, ONE, {"A": hang()}, how) == [20_000]
    traced = replay(app, how, ONE, {"A": [(0, cut())]})
    assert traced[0].broken
    assert len(traced[0].attempts) == 1


def test_a_stream_session_is_a_success_as_soon_as_it_is_connected() -> None:
    app = group(ServerSpec("A", fail_timeout_s=1), "B", family="stream")
    dead = {"A": [(0, refuse()), (1500, ok())]}
    calls = [Call(0), *(Call(3000 + number * 10) for number in range(6))]
    lines = follow(app, calls, dead, use(protocol="stream"), response=60_000)
    assert [line.split()[0] for line in lines[1:]].count("A") > 1
    http = group(ServerSpec("A", fail_timeout_s=1), "B")
    lines = follow(http, calls, dead, use(), response=50_000)
    assert [line.split()[0] for line in lines[1:]].count("A") == 1  # the probe is still running


def test_udp_counts_an_icmp_error_when_the_session_ends() -> None:
    app = group(ServerSpec("A", fail_timeout_s=1000), "B", family="stream")
    how = use(protocol="stream", udp=True, idle=3000)
    calls = [Call(0), Call(10), Call(20), *(Call(4000 + number * 10) for number in range(4))]
    lines = follow(app, calls, {"A": refuse()}, how)
    assert lines == ["A 200", "B 200", "A 200", *["B 200"] * 4]
    at_once = follow(app, calls, {"A": refuse()}, replace(how, responses=1))
    assert at_once == ["A 200", *["B 200"] * 6]


@pytest.mark.parametrize("responses", [-1, 0, 1])
def test_udp_misses_a_response_only_where_a_number_is_set(responses: int) -> None:
    app = group(ServerSpec("A", fail_timeout_s=1000), "B", family="stream")
    how = use(protocol="stream", udp=True, idle=1000, responses=responses)
    calls = [Call(number * 2000) for number in range(4)]
    lines = follow(app, calls, {"A": hang()}, how)
    assert lines == (["A 502 => 502", *["B 200"] * 3] if responses == 1 else ["A 200", "B 200"] * 2)


def test_stream_does_not_see_a_client_leave_while_it_connects() -> None:
    """The connect timeout fires and counts; in http the client's leaving ends the attempt, and nothing counts."""
    calls = [Call(at) for at in (0, 10, 1000, 1010, 1020)]
    for family, protocol, second in (("stream", "stream", "B 200"), ("http", "proxy", "A 0 => 499")):
        app = group(ServerSpec("A", fail_timeout_s=1000), "B", family=family)
        how = use(protocol=protocol, connect=500)
        lines = follow(app, calls, {"A": blackhole()}, how, client_timeout=300)
        first = "A 504, B 0 => 499" if family == "stream" else "A 0 => 499"
        assert lines[:2] == [first, "B 200"]
        assert lines[2] == second


def test_an_answer_of_stream_that_is_later_than_its_timeout_is_no_answer() -> None:
    app = group("A", "B", family="stream")
    how = use(protocol="stream", idle=500, read=600_000)
    traced = replay(app, how, [Call(0)], {"A": [(0, slow(2000))]})
    assert traced[0].broken and traced[0].end == 500
