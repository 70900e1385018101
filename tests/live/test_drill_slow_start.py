"""``slow_start`` on a running Angie, which has it in its open source edition, beside the simulator.

Name one in ``NGINXAUDIT_TEST_NGINX``; NGINX Plus, whose documentation the simulation follows, cannot be asked.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nginxaudit.drill.behaviour import ok, refuse
from tests.live.drill_compare import MOST, Case, burst, group_texts, in_time, skip_if_late
from tests.support import nginx

pytestmark = [pytest.mark.live, pytest.mark.slow, nginx.live]

_RAMP = 4_000
_PART = _RAMP // 4
_STEP = 10
_TOLERANCE = 0.06
"""Of the share in a quarter of the slow start; nginx and Angie differ by up to a second in when a server is asked again."""

CASES = [
    Case(
        "round robin",
        f"zone app 64k; server {{A}} slow_start={_RAMP}ms fail_timeout=1s; server {{B}};",
        burst(0, 900, _STEP),
        ("A 502, B 200 => 200",),
        {"A": [(0, refuse()), (1200, ok())]},
    ),
    Case(
        "least_conn, weights",
        f"zone app 64k; least_conn; server {{A}} weight=2 slow_start={_RAMP}ms fail_timeout=1s; server {{B}};",
        burst(0, 900, _STEP),
        ("A 502, B 200 => 200",),
        {"A": [(0, refuse()), (1200, ok())]},
    ),
]


def _shares(lines: list[str]) -> list[float]:
    """The part of A in every quarter since its first good answer, and in as much time afterwards."""
    first = next(number for number, line in enumerate(lines) if line == "A 200 => 200")
    parts = [
        lines[first + at : first + at + _PART // _STEP] for at in range(0, 5 * _PART // _STEP, _PART // _STEP)
    ]
    return [sum(line.startswith("A") for line in part) / len(part) for part in parts]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_shares_grow_as_predicted(case: Case, tmp_path: Path) -> None:
    text = "events {} http { upstream a { server 127.0.0.1:1 slow_start=1s; server 127.0.0.1:2; } }"
    if not nginx.check(tmp_path, text).accepted:
        pytest.skip("this nginx has no slow_start")
    run = asyncio.run(in_time(case, tmp_path, group_texts, by_request=False))
    skip_if_late(run, MOST)
    measured, predicted = _shares(run.measured()), _shares(run.predicted())
    print(case.name, measured, predicted)
    assert measured == pytest.approx(predicted, abs=_TOLERANCE)
    assert measured == sorted(measured) and measured[0] < measured[-1] / 2
