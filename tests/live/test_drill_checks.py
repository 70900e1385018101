"""``check`` of nginx_upstream_check_module on a running nginx beside the simulated probes.

It needs an nginx with that module (Tengine has it): name one in ``NGINXAUDIT_TEST_NGINX``. When its timers begin is
chance, so what is measured must lie between the least and the longest time of many simulated runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from nginxaudit.drill.behaviour import Behaviour, hang, ok, refuse, slow, status
from nginxaudit.drill.probing import health
from tests.live.drill_compare import MOST, Case, Run, burst, group_texts, in_time, skip_if_late
from tests.support import nginx

pytestmark = [pytest.mark.live, pytest.mark.slow, nginx.live]

_FAULT, _END, _LAST = 4_000, 10_000, 15_500
_STEP = 50
_TOLERANCE = 150
_SEEDS = 200
_RESPONSE = 20
_HTTP = "check interval=800 fall=3 rise=2 timeout=300 default_down=false type=http;"


@dataclass(frozen=True)
class Checked:
    """What the first of two servers does between `_FAULT` and `_END`, and the lines for the check."""

    name: str
    does: Behaviour
    check: str = _HTTP
    workers: int = 1
    method: str = ""


CASES = (
    Checked("refuses, http", refuse()),
    Checked("refuses, http, four workers", refuse(), workers=4),
    Checked("refuses, tcp", refuse(), "check interval=800 fall=3 rise=2 timeout=300 default_down=false;"),
    Checked("answers errors, http", status(503)),
    Checked("answers errors that are alive", status(503), f"{_HTTP} check_http_expect_alive http_2xx http_5xx;"),
    Checked("answers errors, tcp", status(503), "check interval=800 fall=3 rise=2 timeout=300 default_down=false type=tcp;"),
    Checked("never answers, http", hang()),
    Checked("answers late, http", slow(400)),
    Checked("refuses, least_conn", refuse(), method="least_conn;"),
    Checked("refuses, hash", refuse(), method="hash $arg_n;"),
    Checked("refuses, random does not ask", refuse(), method="random;"),
    Checked("refuses, least_time does not ask", refuse(), method="least_time header;"),
    Checked("down at the start", ok(), "check interval=800 fall=3 rise=2 timeout=300 type=http;"),
)  # fmt: skip


def _case(checked: Checked) -> Case:
    return Case(
        checked.name,
        f"{checked.method} server {{A}} max_fails=0; server {{B}} max_fails=0; {checked.check}",
        burst(0, _LAST // _STEP, _STEP),
        (),
        {"A": [(0, ok()), (_FAULT, checked.does), (_END, ok())]},
        "proxy_read_timeout 200ms; proxy_next_upstream error timeout http_503;",
        workers=checked.workers,
        response=_RESPONSE,
    )


def _measured(run: Run) -> tuple[int | None, int | None]:
    """Ms from the fault until the last request to A before it is out, and from its end until the first after; None where it is not out."""
    asked = [entry.begin for entry in run.entries if any(name == "A" for name, _ in entry.attempts)]
    before = [at for at in asked if at < _END]
    after = [at for at in asked if at >= _END]
    if before and before[-1] > _END - 4 * _STEP:
        return None, None
    return int(before[-1] - _FAULT) if before else 0, int(after[0] - _END) if after else _LAST


def _predicted(run: Run, checked: Checked) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for seed in range(_SEEDS):
        changes = health(
            run.group.checks,
            [(_FAULT, checked.does), (_END, ok())],
            _RESPONSE,
            _LAST * 2,
            workers=checked.workers,
            seed=seed,
        )
        found.append((changes[0][0] - _FAULT, changes[1][0] - _END) if changes else None)
    return found


def _fits(measured: int, predicted: Sequence[int]) -> bool:
    late = 2 * _STEP + _TOLERANCE  # A is asked with every second request
    return min(predicted) - late <= measured <= max(predicted) + late


async def _all(directory: Path) -> list[Run]:
    places = [directory / str(number) for number in range(len(CASES))]
    for place in places:
        place.mkdir()
    runs = (
        in_time(_case(each), place, group_texts, by_request=False)
        for each, place in zip(CASES, places, strict=True)
    )
    return list(await asyncio.gather(*runs))


def test_probes_are_as_predicted(tmp_path: Path) -> None:
    if not any("upstream_check_module" in flag for flag in nginx.judge().flags):
        pytest.skip("this nginx has no nginx_upstream_check_module")
    for checked, run in zip(CASES, asyncio.run(_all(tmp_path)), strict=True):
        skip_if_late(run, MOST)
        out, back = _measured(run)
        predicted = _predicted(run, checked)
        known = [each for each in predicted if each is not None]
        print(checked.name, out, back, [(min(side), max(side)) for side in zip(*known, strict=True)])
        if checked.name == "down at the start":
            changes = health(run.group.checks, [], _RESPONSE, _LAST, started=False)
            assert changes[0] == (0, False) and run.measured()[0] == "none 502 => 502"
            continue
        assert (out is None) == (not known), checked.name
        if out is not None and back is not None:
            assert _fits(out, [first for first, _ in known]), checked.name
            assert _fits(back, [second for _, second in known]), checked.name
