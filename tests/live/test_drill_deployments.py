"""What the deployments of the fixtures lose in a rolling restart: nginx beside the simulator."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from tests.live.drill_compare import MOST, skip_if_late
from tests.live.drill_deployments import MEASURED, NAMES, Numbers, drilled, measured, predicted
from tests.support import nginx

TOLERANCE = 6
"""Requests: at 40 a second those of 150 ms, for what meets the edges of seconds and restarts."""


def _agree(one: Numbers, other: Numbers) -> bool:
    return (
        one.requests == other.requests
        and abs(one.failed - other.failed) <= TOLERANCE
        and abs(one.retried - other.retried) <= TOLERANCE
    )


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize("fixed", [False, True], ids=["as published", "fixed"])
def test_a_rolling_restart_loses_what_is_predicted(fixed: bool, tmp_path: Path) -> None:
    names = [name for name in NAMES if name.endswith("-fixed") == fixed]
    assert len(names) == 3
    runs = asyncio.run(drilled(names, tmp_path))
    for name, run in runs.items():
        wanted = predicted(name, nginx.version())
        if not _agree(measured(run), wanted):
            skip_if_late(run, MOST)
        assert _agree(measured(run), wanted), (name, measured(run), wanted)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_measured_still_holds(name: str) -> None:
    """The numbers that README shows: ``python -m tests.live.drill_measure`` writes them."""
    known = json.loads(MEASURED.read_text())
    assert sorted(known) == NAMES
    assert known[name].pop("predicted") == msgspec.to_builtins(predicted(name))
    assert _agree(msgspec.convert(known[name], Numbers), predicted(name))
