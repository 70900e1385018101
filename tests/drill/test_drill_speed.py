"""A drill does little work: counted, not timed, so that a slow machine fails nothing."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from nginxaudit.drill import running
from nginxaudit.drill.drill import drill
from nginxaudit.drill.load import Traffic
from nginxaudit.drill.peers import Request
from nginxaudit.drill.scenarios import scenarios
from nginxaudit.drill.simulation import Simulation
from nginxaudit.drill.spec import ServerSpec, Sticky, Subject, UpstreamSpec, Use
from tests.drill.drill_support import group, use


class _Work:
    """Simulations that were made and requests that were followed one by one."""

    def __init__(self) -> None:
        self.simulated = self.followed = self.requests = 0


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> _Work:
    found, simulated, request = _Work(), running._simulated, Simulation.request

    def one_more(*args: Any, **more: Any) -> Any:
        found.simulated += 1
        return simulated(*args, **more)

    def follow(self: Simulation, t: int, worker: int) -> Request:
        found.followed += 1
        return request(self, t, worker)

    monkeypatch.setattr(running, "_simulated", one_more)
    monkeypatch.setattr(Simulation, "request", follow)
    running._known.cache_clear()
    running._counted.cache_clear()
    return found


def _drill(work: _Work, app: UpstreamSpec, how: Use, *kinds: str, remedies: bool = True) -> None:
    subject = Subject(app.name, how.label, "nginx.conf", 1, app, how)
    for result in drill(subject, None, kinds or None, remedies=remedies):
        work.requests += result.outcome.requests


@pytest.mark.parametrize(
    ("method", "kind"),
    [*product(("round_robin", "least_conn"), ("rolling", "refuse")), ("round_robin", "5xx")],
)
def test_most_requests_are_counted_and_not_followed(work: _Work, method: str, kind: str) -> None:
    _drill(work, group("A", "B", "C", method=method, workers=4), use(), kind, remedies=False)
    assert work.followed < work.requests // 4


def test_clients_that_leave_first_are_counted_too(work: _Work) -> None:
    """nginx waits 60 s by default, clients leave after 30: no server is ever marked, and all go the same way."""
    _drill(
        work,
        group("A", "B", workers=4),
        use(read=60_000, connect=60_000),
        "hang",
        "blackhole",
        remedies=False,
    )
    assert work.followed < work.requests // 20


def test_runs_that_cannot_differ_are_made_once(work: _Work) -> None:
    first = group(ServerSpec("A", "hostA"), ServerSpec("B", "hostB"))
    second = group(ServerSpec("C", "hostC"), ServerSpec("D", "hostD"), keepalive=16)
    _drill(work, first, use(), "5xx", "slow", "rolling")
    before = work.simulated
    _drill(work, second, use(connect=1000, reuses=True), "5xx", "slow", "rolling")
    assert before > 0
    assert work.simulated == before


@pytest.mark.parametrize("method", ["round_robin", "ip_hash", "random"])
@pytest.mark.parametrize("more", [{}, {"sticky": Sticky("cookie"), "zone": True}, {"keepalive": 8}])
def test_a_run_for_losses_finds_all_of_them_with_less_work(
    work: _Work, method: str, more: dict[str, Any]
) -> None:
    """Also after the fault, when one request at a time tries a server that has failed and the others get 502."""
    app, how, load = (
        group("A", "B", method=method, workers=2, **more),
        use(connect=2000, reuses=True),
        Traffic(),
    )
    followed = [0, 0]
    for scenario in scenarios(app, how, load, ("refuse", "blackhole")):
        lost = set()
        for at, losses_only in enumerate((False, True)):
            before = work.followed
            outcome = running.run(app, how, load, scenario, losses_only=losses_only)
            followed[at] += work.followed - before
            lost.add((outcome.requests, outcome.lost, outcome.avoidable, outcome.lonely))
        assert len(lost) == 1
    assert followed[1] < followed[0]
