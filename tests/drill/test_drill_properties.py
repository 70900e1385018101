"""What holds for every group, every fault and every seed; and how the time grows."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nginxaudit.drill.behaviour import (
    Behaviour,
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
from nginxaudit.drill.extended import simulation_of
from nginxaudit.drill.load import Second, Traffic, arrivals, seconds
from nginxaudit.drill.methods import METHODS
from nginxaudit.drill.simulation import Simulation
from nginxaudit.drill.spec import ActiveCheck, Queue, ServerSpec, Sticky, UpstreamSpec, Use
from nginxaudit.drill.tally import Tally
from tests.drill.drill_support import group, use

_BEHAVIOURS: list[Behaviour] = [
    ok(), slow(900), refuse(), refuse(graceful=True), hang(), blackhole(), status(503), status(404), reset(),
    drop_reused(), cut(), flap(300, 200),
]  # fmt: skip

servers = st.builds(
    ServerSpec,
    name=st.sampled_from("ABCD"),
    weight=st.integers(1, 5),
    max_fails=st.integers(0, 3),
    fail_timeout_s=st.integers(0, 3),
    max_conns=st.sampled_from([0, 0, 0, 2]),
    down=st.sampled_from([False, False, False, True]),
)


checks = st.builds(
    ActiveCheck,
    name=st.sampled_from(["health_check", "check"]),
    interval=st.sampled_from([1, 300, 1000]),
    fails=st.integers(1, 2),
    passes=st.integers(1, 3),
    connect=st.sampled_from([100, 2000]),
    answer=st.sampled_from([100, 2000]),
    jitter=st.sampled_from([0, 200]),
    looks_at=st.sampled_from(["connect", "answer", "status", "icmp"]),
)


@st.composite
def groups(draw: st.DrawFn) -> UpstreamSpec:
    primaries = draw(st.lists(servers, min_size=1, max_size=4))
    backups = [ServerSpec(f"{each.name}b", backup=True) for each in draw(st.lists(servers, max_size=2))]
    family = draw(st.sampled_from(["http", "http", "stream"]))
    extended: dict[str, object] = {}
    if family == "http" and draw(st.booleans()):
        primaries = [replace(each, slow_start=draw(st.sampled_from([0, 0, 2000]))) for each in primaries]
        extended = {
            "checks": tuple(draw(st.lists(checks, max_size=2))),
            "sticky": draw(st.sampled_from([None, None, Sticky("cookie"), Sticky("learn", 1000)])),
            "queue": draw(st.sampled_from([None, Queue(2, 800), Queue(50, 3000)])),
        }
    return group(
        *primaries,
        *backups,
        method=draw(st.sampled_from(sorted(METHODS))),
        zone=draw(st.booleans()),
        keepalive=draw(st.sampled_from([0, 2])),
        family=family,
        version=draw(st.sampled_from([(1, 18, 0), (1, 31, 4)])),
        **extended,
    )


uses = st.builds(
    use,
    conditions=st.sampled_from(["error timeout", "off", "error http_503 http_404 non_idempotent"]),
    tries=st.integers(0, 3),
    budget=st.sampled_from([0, 500]),
    connect=st.sampled_from([0, 200, 3000]),
    read=st.sampled_from([100, 2000]),
    idle=st.just(2000),
    buffered=st.booleans(),
    reuses=st.booleans(),
    ignores_abort=st.booleans(),
    tls=st.booleans(),
    udp=st.booleans(),
)
schedules = st.dictionaries(
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(_BEHAVIOURS)), max_size=4).map(
        lambda phases: sorted(phases, key=lambda each: each[0])
    ),
)


def _run(
    app: UpstreamSpec, how: Use, does: dict[int, list[tuple[int, Behaviour]]], seed: int
) -> tuple[Tally, Simulation]:
    tally = Tally(len(app.servers), 4)
    simulation = simulation_of(app)(
        app, how, does, tally, workers=2, response=50, client_timeout=1000, horizon=5000, seed=seed
    )
    load = Traffic(rate=50, seed=seed, clients=5)
    simulation.run(arrivals(load, 3000, 2, "$arg"), trace=True)
    return tally, simulation


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(groups(), uses, schedules, st.integers(0, 9))
def test_every_request_ends_once_and_nothing_stays_behind(
    app: UpstreamSpec, how: Use, does: dict[int, list[tuple[int, Behaviour]]], seed: int
) -> None:
    tally, simulation = _run(app, how, does, seed)
    total = sum(tally.requests)
    assert total == 150 == len(tally.traces)
    assert sum(tally.ok) + sum(tally.failed) + sum(tally.gave_up) == total
    assert sum(tally.statuses.values()) == sum(tally.failed)
    assert sum(tally.waited.values()) == total
    assert max(tally.waited) <= 1000
    for state in simulation.states:
        for peers in (state, state.backups):
            for peer in peers.all if peers else ():
                assert peer.conns == 0
                assert 0 <= peer.effective <= peer.weight
                assert not (peer.server.down and tally.contacts[peer.index])
    tried = Counter(each.server for traced in tally.traces for each in traced.attempts if each.server >= 0)
    assert tried == Counter({index: sum(each.values()) for index, each in enumerate(tally.contacts) if each})


def _numbers(tally: Tally) -> tuple[object, ...]:
    contacts = [dict(each) for each in tally.contacts]
    counted = (
        tally.requests,
        tally.ok,
        tally.failed,
        tally.gave_up,
        tally.retried,
        tally.statuses,
        tally.waited,
    )
    seen = tally.out, tally.back, tally.by_checks, tally.moved
    return (*counted, *_lost(tally), *seen, contacts)


def _lost(tally: Tally) -> tuple[object, ...]:
    """What is the same where only losses are looked for."""
    numbers = tally.lonely, tally.broken, tally.died, tally.avoidable
    return tally.failed, tally.gave_up, tally.statuses, *numbers


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(groups(), uses, schedules, st.integers(0, 9), st.sampled_from([1, 2]), st.sampled_from([50, 1400]))
def test_counting_whole_seconds_gives_the_numbers_of_following_each_request(
    app: UpstreamSpec,
    how: Use,
    does: dict[int, list[tuple[int, Behaviour]]],
    seed: int,
    workers: int,
    answer: int,
) -> None:
    load = Traffic(rate=50, seed=seed, clients=5)
    found, lost = [], []
    for how_quick in ("", "counted", "only losses"):
        tally = Tally(len(app.servers), 15, 1000, 5500)
        simulation = simulation_of(app)(
            app,
            how,
            does,
            tally,
            workers=workers,
            response=answer,
            client_timeout=2500,
            horizon=5000,
            seed=seed,
        )
        for state in simulation.states:
            for peer in [*state.all, *(state.backups.all if state.backups else ())]:
                tally.watch(peer, 500, 3000)
        if how_quick:
            requests = seconds(load, 14_500, workers, "$arg")
            simulation.run_seconds(requests, losses_only=how_quick == "only losses")
        else:
            simulation.run(arrivals(load, 14_500, workers, "$arg"))
        assert all(not peer.conns for state in simulation.states for peer in state.all)
        found.append(_numbers(tally))
        lost.append(_lost(tally))
    assert found[0] == found[1]
    assert lost[1] == lost[2]


def test_what_is_in_flight_meets_servers_as_they_were() -> None:
    """At 2960 ms A has answered 404, and B, which stops at 3000 ms, still answers; a look at second 3 does not change that."""
    app = group("A", "B")
    for quick in (False, True):
        tally = Tally(2, 5)
        does = {0: [(0, status(404))], 1: [(3000, refuse(graceful=True))]}
        simulation = Simulation(app, use("error http_404"), does, tally, response=50, horizon=5000)
        batches = [(at, Second([(at * 1000 + 910, "GET", 0, b"", b"")])) for at in (2, 3)]
        if quick:
            simulation.run_seconds(batches)
        else:
            simulation.run(arrival for _, batch in batches for arrival in batch)
        assert [tally.ok[2], tally.failed[2], tally.waited[100]] == [1, 0, 1]


@pytest.mark.slow
@settings(max_examples=30)
@given(groups(), uses, schedules, st.integers(0, 9))
def test_a_seed_decides_everything(
    app: UpstreamSpec, how: Use, does: dict[int, list[tuple[int, Behaviour]]], seed: int
) -> None:
    assert _run(app, how, does, seed)[0].traces == _run(app, how, does, seed)[0].traces


@settings(max_examples=40)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_shares_follow_weights_exactly(weights: list[int]) -> None:
    """Smooth weighted round robin deals exactly by weight in every round of the total weight."""
    app = group(*(ServerSpec(f"s{at}", weight=weight) for at, weight in enumerate(weights)))
    tally = Tally(len(weights), 1000)
    rounds = 3 * sum(weights)
    Simulation(app, use(), {}, tally).run((at, "GET", 0, b"", b"") for at in range(rounds))
    assert [sum(each.values()) for each in tally.contacts] == [3 * weight for weight in weights]


def _cost(requests: int, **more: object) -> float:
    app = group(ServerSpec("A", weight=3), "B", ServerSpec("C", backup=True), **more)
    load = Traffic(rate=1000)
    best = 1e9
    for _ in range(3):
        tally = Tally(3, requests // 1000 + 1)
        simulation = Simulation(app, use(reuses=True), {0: [(5000, refuse())]}, tally, workers=4)
        begin = time.process_time()
        simulation.run(arrivals(load, requests, 4, ""))
        best = min(best, time.process_time() - begin)
        assert sum(tally.requests) == requests
    return best


@pytest.mark.slow
@pytest.mark.parametrize("keepalive", [0, 32])
def test_time_grows_with_the_requests_and_is_short(keepalive: int) -> None:
    """A million requests in 20 s are 20 us each; twice the requests cost twice the time, give or take."""
    half, whole = _cost(20_000, keepalive=keepalive), _cost(40_000, keepalive=keepalive)
    assert whole < 3.5 * half
    assert whole / 40_000 < 60e-6, "a million requests would take more than a minute"
