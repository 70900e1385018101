"""Scenarios: what they cost, what the verdict blames, and that its remedies do what they say."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import pytest
from msgspec.structs import replace

from nginxaudit.drill.certain import loses_nothing
from nginxaudit.drill.drill import count, drill, drill_all
from nginxaudit.drill.kinds import KINDS
from nginxaudit.drill.load import Traffic
from nginxaudit.drill.results import Result
from nginxaudit.drill.running import run
from nginxaudit.drill.scenarios import scenarios
from nginxaudit.drill.spec import ActiveCheck, Queue, ServerSpec, Sticky, Subject, UpstreamSpec, Use
from nginxaudit.drill.verdict import judge
from tests.drill.drill_support import group, use
from tests.model.model_support import http


def results(
    app: UpstreamSpec, how: Use, *kinds: str, load: Traffic | None = None, **more: bool
) -> dict[str, Result]:
    subject = Subject(app.name, how.label, "nginx.conf", 1, app, how)
    return {each.scenario.name: each for each in drill(subject, load, kinds or None, **more)}


def _pair(**more: object) -> UpstreamSpec:
    return group(ServerSpec("A", "hostA"), ServerSpec("B", "hostB"), **more)


def test_the_scenarios_of_a_group() -> None:
    app = group(
        ServerSpec("10.0.0.1:1", "10.0.0.1"), ServerSpec("10.0.0.1:2", "10.0.0.1"), ServerSpec("10.0.0.2:1", "10.0.0.2"),
        ServerSpec("10.0.0.3:1", "10.0.0.3", backup=True), ServerSpec("10.0.0.4:1", "10.0.0.4", down=True),
    )  # fmt: skip
    found = scenarios(app, use(), Traffic())
    assert [each.name for each in found if each.kind == "refuse"] == [
        "refuse 10.0.0.1:1", "refuse 10.0.0.1:2", "refuse 10.0.0.2:1", "refuse host 10.0.0.1", "refuse all primaries",
    ]  # fmt: skip
    assert {each.kind for each in found} == set(KINDS) - {"start"}
    rolling = found[-1]
    assert [fault.server for fault in rolling.faults] == [0, 1, 2, 3]
    assert [fault.begin for fault in rolling.faults] == [10_000, 40_000, 70_000, 100_000]
    assert all(each.begin < each.end < each.duration <= 250_000 for each in found)
    with pytest.raises(ValueError, match="unknown scenarios: hung"):
        scenarios(app, use(), Traffic(), ["hung"])


def test_no_5xx_in_stream() -> None:
    app = group("A", "B", family="stream")
    assert "5xx" not in {each.kind for each in scenarios(app, use(protocol="stream"), Traffic())}


def test_a_pair_survives_the_loss_of_one() -> None:
    found = results(_pair(), use(), "refuse")["refuse A"]
    assert found.verdict.passed and found.verdict.text.startswith("loses nothing")
    outcome = found.outcome
    assert outcome.lost == outcome.died and outcome.retried > 0
    assert outcome.left is not None and outcome.left < 1000
    assert outcome.back is not None and 0 < outcome.back <= 11_000
    a, b = outcome.servers
    assert (a.target, b.target) == (True, False)
    assert a.before == pytest.approx(0.5, abs=0.01) and b.during > 0.98 and a.after > 0.2
    assert b.overload == pytest.approx(2, abs=0.05) == outcome.survivor_overload
    assert sum(outcome.timeline.ok) == outcome.ok
    assert sum(outcome.timeline.retried) == outcome.retried
    assert len(outcome.timeline.ok) == len(outcome.timeline.attempts["A"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("app", "how", "kind", "setting", "text", "where"),
    [
        (_pair(), use("off"), "refuse A", "proxy_next_upstream off", "proxy_next_upstream error timeout;", "location"),
        (_pair(), use(), "5xx A", "proxy_next_upstream error timeout", "proxy_next_upstream error timeout http_503;", "location"),
        (_pair(), use(), "blackhole A", "proxy_connect_timeout 60s", "proxy_connect_timeout 2s;", "location"),
        (_pair(), use(tries=1), "refuse A", "proxy_next_upstream_tries 1", "proxy_next_upstream_tries 2;", "location"),
        (group(ServerSpec("A"), ServerSpec("B"), ServerSpec("C", backup=True)), use(tries=2), "refuse all primaries",
         "proxy_next_upstream_tries 2", "proxy_next_upstream_tries 3;", "location"),
        (_pair(), use(connect=3000, budget=2000), "blackhole A", "proxy_next_upstream_timeout 2s", "proxy_next_upstream_timeout 0;", "location"),
        (group(ServerSpec("A"), ServerSpec("B")), use(), "refuse all primaries", "no other live server", "server ANOTHER-HOST:PORT backup;", "upstream"),
        (group(ServerSpec("A")), use(), "refuse A", "a single server", "server ANOTHER-HOST:PORT backup;", "upstream"),
        (group(ServerSpec("A", fail_timeout_s=30), ServerSpec("B", fail_timeout_s=30)), use(), "rolling",
         "fail_timeout=30s", "fail_timeout=8s", "on every server"),
        (_pair(), use(), "hang A", "proxy_read_timeout 60s", "proxy_read_timeout 5s;", "location"),
    ],
)  # fmt: skip
def test_the_setting_that_decides_and_what_fixes_it(
    app: UpstreamSpec, how: Use, kind: str, setting: str, text: str, where: str
) -> None:
    load = Traffic(methods=(("GET", 1.0),))
    found = results(app, how, kind.split()[0], load=load)[kind]
    verdict, outcome = found.verdict, found.outcome
    assert not verdict.passed and outcome.avoidable > 0
    assert any(cause.setting.startswith(setting) for cause in verdict.causes), verdict.text
    best = verdict.remedies[0]
    assert best.text == text
    assert where in best.where
    assert best.fixes and best.lost_before == outcome.lost > best.lost_after
    assert best.sentence in verdict.text and str(outcome.lost) in verdict.text


@pytest.mark.slow
def test_hanging_posts_need_what_may_do_damage() -> None:
    verdict = results(_pair(), use(), "hang")["hang A"].verdict
    gentle, harsh = verdict.remedies
    assert gentle.text == "proxy_read_timeout 5s;" and not gentle.fixes and gentle.lost_after > 0
    assert "non_idempotent" in harsh.text and harsh.fixes and "twice" in harsh.trade_off
    assert "trade-off" in verdict.text


@pytest.mark.slow
def test_kept_connections_into_a_black_hole_wait_for_an_answer() -> None:
    how = use(connect=2000, reuses=True)
    assert results(_pair(), how, "blackhole")["blackhole A"].verdict.passed
    kept = results(_pair(keepalive=32, workers=2), how, "blackhole", load=Traffic(response_time=200))[
        "blackhole A"
    ]
    assert not kept.verdict.passed
    assert any("on a reused connection" in cause.text for cause in kept.verdict.causes)


@pytest.mark.slow
def test_a_combination_says_what_belongs_where() -> None:
    verdict = results(group("A", "B"), use(), "blackhole")["blackhole all primaries"].verdict
    best = verdict.remedies[0]
    assert best.fixes
    assert best.sentence == (
        'proxy_connect_timeout 2s; in the location and server ANOTHER-HOST:PORT backup; in upstream "app"'
    )


@pytest.mark.slow
def test_a_remedy_does_not_fix_by_luck() -> None:
    """With retries a hanging server costs a POST now and then, though not with every seed."""
    app = _pair(zone=True)
    how = use("off", read=2000)
    for seed in range(1, 6):
        verdict = results(app, how, "hang", load=Traffic(seed=seed))["hang A"].verdict
        assert not verdict.remedies[0].fixes or "non_idempotent" in verdict.remedies[0].text


def test_why_udp_and_grpc_cannot_be_fixed() -> None:
    udp = results(group("A", "B", family="stream"), use(protocol="stream", udp=True, idle=2000), "refuse")
    assert udp["refuse A"].verdict.causes[-1].setting == "udp"
    grpc = results(_pair(), use(protocol="grpc", prefix="grpc", buffered=False), "5xx")
    assert grpc["5xx A"].verdict.causes[-1].setting == "grpc_pass"


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, nginxaudit.drill.drill; "
        "assert not {'rich', 'networkx', 'asyncio', 'sarif_om'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_max_fails_0_is_blamed_when_nothing_else_is() -> None:
    app = group(ServerSpec("A", max_fails=0), ServerSpec("B", max_fails=0))
    verdict = results(app, use("off"), "refuse", load=Traffic(methods=(("GET", 1.0),)))["refuse A"].verdict
    assert verdict.remedies[0].text == "proxy_next_upstream error timeout;"
    lost = verdict.remedies[0].lost_before
    once = results(_pair(), use("off"), "refuse", load=Traffic(methods=(("GET", 1.0),)))["refuse A"]
    assert once.outcome.lost < lost / 50


def test_a_hanging_stream_server_cannot_be_fixed() -> None:
    app = group("A", "B", family="stream")
    how = use(protocol="stream")
    found = results(app, how, "hang")["hang A"]
    assert found.outcome.gave_up > 0
    assert found.verdict.remedies == ()
    assert found.verdict.text.endswith("No setting fixes it")


def test_methods_that_have_no_backups_are_not_given_one() -> None:
    app = group("A", "B", method="ip_hash")
    verdict = results(app, use(), "refuse")["refuse all primaries"].verdict
    assert verdict.remedies == ()
    assert verdict.causes[0].setting == "ip_hash" and "no backup servers" in verdict.text


def test_backups_serve_and_primaries_return() -> None:
    app = group("A", ServerSpec("B", backup=True), zone=True)
    outcome = results(app, use(), "refuse")["refuse A"].outcome
    assert outcome.backups_served
    assert outcome.servers[1].before == 0 and outcome.servers[1].overload is None
    quiet = results(group("A", "C", ServerSpec("B", backup=True)), use(), "refuse")["refuse A"].outcome
    assert not quiet.backups_served


def test_of_many_servers_alike_one_stands_for_all() -> None:
    app = group(*(ServerSpec(f"s{at}", f"h{at}", weight=1 + (at == 5)) for at in range(30)))
    assert [each.name for each in scenarios(app, use(), Traffic(), ["refuse"])] == [
        "refuse s0", "refuse s5", "refuse all primaries",
    ]  # fmt: skip


def test_full_servers_are_blamed() -> None:
    app = group(ServerSpec("A", max_conns=3), ServerSpec("B", max_conns=3))
    verdict = results(app, use(), "refuse", load=Traffic(response_time=100))["refuse A"].verdict
    assert verdict.remedies[0].text == "max_conns=0"
    assert "overloaded" in verdict.remedies[0].trade_off


def test_without_remedies_nothing_is_tried() -> None:
    verdict = results(_pair(), use("off"), "refuse", remedies=False)["refuse A"].verdict
    assert not verdict.passed and verdict.remedies == () and verdict.causes


def test_the_same_use_in_many_places_is_simulated_once() -> None:
    locations = " ".join(f"location /{at} {{ proxy_pass http://app; }}" for at in range(40))
    model = http(f"upstream app {{ server 10.0.0.1; server 10.0.0.2; }} server {{ {locations} }}")
    told: list[tuple[int, int]] = []
    found = list(drill_all(model, kinds=["rolling"], progress=lambda done, of: told.append((done, of))))
    assert len(found) == 40 == len({each.location for each in found})
    assert len({id(each.outcome) for each in found}) == 1
    assert told[-1] == (40, 40)


def test_what_cannot_be_drilled_gives_nothing() -> None:
    subject = Subject("app", "", "nginx.conf", 1, why_not="its servers come from somewhere else")
    assert list(drill(subject)) == []
    assert count(subject) == 0


def test_a_load_that_makes_no_sense_is_refused() -> None:
    for bad in ({"rate": 0}, {"methods": ()}, {"client_timeout": 0}, {"pause": -1}):
        with pytest.raises(ValueError, match=r"must|method"):
            Traffic(**bad)  # type: ignore[arg-type]


def test_what_was_never_unavailable_is_not_back() -> None:
    outcome = results(_pair(), use(), "5xx", remedies=False)["5xx A"].outcome
    assert outcome.left is None
    assert outcome.back is None
    assert results(_pair(), use("error http_503"), "5xx", remedies=False)["5xx A"].outcome.back is not None


def test_only_the_first_remedy_where_one_is_enough() -> None:
    app, how, load = _pair(), use(), Traffic()
    (scenario, *_) = scenarios(app, how, load, ["5xx"])
    outcome = run(app, how, load, scenario)
    both = judge(app, how, load, scenario, outcome).remedies
    assert len(both) == 2
    assert judge(app, how, load, scenario, outcome, best=True).remedies == both[:1]


@pytest.mark.parametrize("method", ["round_robin", "least_conn", "ip_hash", "hash"])
def test_what_is_certain_need_not_be_simulated(method: str) -> None:
    """Where it says that nothing is lost the simulation loses nothing, and it does not say so where something is."""
    apps = (
        group("A", "B", "C", method=method),
        group(ServerSpec("A", max_fails=2), "B", method=method, keepalive=4),
    )
    uses = (
        use(connect=2000),
        use(connect=20_000),
        use(reuses=True),
        use("timeout"),
        use(tries=2),
        use(budget=100),
    )
    load, seen = Traffic(rate=10), set()
    for app, how in product(apps, uses):
        for scenario in scenarios(app, how, load, ("refuse", "blackhole", "rolling")):
            certain = loses_nothing(app, how, load, scenario)
            seen.add((scenario.kind, certain))
            assert not certain or run(app, how, load, scenario).avoidable == 0, scenario.name
    assert len(seen) == 6


def test_a_check_that_finds_servers_well_too_late_for_a_rolling_restart() -> None:
    """Three good probes take up to 15 s, the next server is restarted after 10 s; with 3 s between them they take 9."""
    check = ActiveCheck("health_check", 5000, 1, 3, 1000, 1000)
    result = results(_pair(zone=True, checks=(check,)), use(), "rolling")["rolling"]
    assert not result.verdict.passed
    (cause,) = result.verdict.causes
    assert cause.setting == "health_check interval=5s passes=3"
    assert "up to 15.2s after it recovers, and the next one is restarted after 10s" in cause.text
    (remedy,) = result.verdict.remedies
    assert remedy.fixes and remedy.text == "health_check interval=3s passes=3;"
    assert remedy.lost_after == 0 and remedy.where == "in the location"


def test_a_check_takes_a_server_out_that_answers_errors() -> None:
    """Errors do not count without ``http_503``: only the check stops them, after at most 3 × 2.05 s."""
    check = ActiveCheck("health_check", 2000, 3, 2, 1000, 1000)
    plain = results(_pair(zone=True), use(), "5xx", remedies=False)["5xx A"].outcome
    checked = results(_pair(zone=True, checks=(check,)), use(), "5xx", remedies=False)["5xx A"].outcome
    assert plain.left is None and not any(each.by_check for each in plain.servers)
    assert checked.left is not None and 4_000 < checked.left <= 6_150
    assert checked.servers[0].by_check and not checked.servers[1].by_check
    assert checked.failed == pytest.approx(25 * checked.left / 1000, abs=2)
    assert plain.failed > 3 * checked.failed


def test_a_scenario_lasts_until_active_checks_have_seen_it() -> None:
    check = ActiveCheck("check", 30_000, 5, 2, 1000, 1000, looks_at="connect")
    (scenario, *_) = scenarios(_pair(checks=(check,)), use(), Traffic(), ["refuse"])
    assert scenario.end - scenario.begin == 5 * 30_000 + 10_000
    assert scenario.duration - scenario.end == 2 * 30_000 + 10_000


def test_sessions_that_move_are_counted() -> None:
    """256 clients came in 500 requests before the fault; about half of them have to move."""
    outcome = results(_pair(zone=True, sticky=Sticky("cookie")), use(), "refuse")["refuse A"].outcome
    assert 90 < outcome.moved < 140
    assert outcome.avoidable == 0


def test_a_queue_saves_requests_of_a_short_restart() -> None:
    """Both are gone for a second: what comes meanwhile waits."""
    load = Traffic(flap_down=1000, flap_up=4000)
    app = group(ServerSpec("A", fail_timeout_s=1), ServerSpec("B", fail_timeout_s=1), zone=True)
    without = results(app, use(), "flap", load=load, remedies=False)["flap all primaries"].outcome
    queue = replace(app, queue=Queue(500, 10_000))
    waiting = results(queue, use(), "flap", load=load, remedies=False)["flap all primaries"].outcome
    assert without.lonely > 200 and waiting.lonely == 0
    assert waiting.latency.worst >= 1000


def test_a_start_with_servers_that_are_down_until_they_are_probed() -> None:
    """A first probe within 3 s, the second at most 4.5 s later, each with an answer of 50 ms."""
    check = ActiveCheck("check", 3000, 5, 2, 1000, 1000, starts_down=True)
    app = _pair(checks=(check,))
    (scenario,) = scenarios(app, use(), Traffic(), ["start"])
    assert (scenario.end, scenario.starts) == (7_550, True)
    result = results(app, use(), "start")["start"]
    outcome = result.outcome
    assert outcome.by_status == {502: outcome.lonely} and 150 < outcome.lonely < 7.55 * 50
    (cause,) = result.verdict.causes
    assert cause.setting == "check interval=3000 rise=2 default_down=true"
    (remedy,) = result.verdict.remedies
    assert remedy.text == "check interval=3000 rise=2 default_down=false;" and remedy.lost_after == 0
    assert not scenarios(_pair(checks=(replace(check, starts_down=False),)), use(), Traffic(), ["start"])


def test_mandatory_probes_begin_at_once() -> None:
    check = ActiveCheck("health_check", 5000, 1, 1, 1000, 1000, starts_down=True)
    result = results(_pair(zone=True, checks=(check,)), use(), "start")["start"]
    assert result.outcome.lonely == 3, "those at 0, 20 and 40 ms come before the first answer"
    (remedy,) = result.verdict.remedies
    assert remedy.sentence == "health_check interval=5s passes=1; without mandatory, in the location"
