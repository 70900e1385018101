"""The deployments of ``fixtures/deployments`` in a rolling restart: what is lost, predicted and measured.

Times are a fifth of those of ``nginxaudit drill`` and of the fixtures: an instance is gone for 4 s, the next one goes 2 s
after it is back, ``fail_timeout`` 30s is 6s. Addresses and ports are those of the backends of the test.
``health_check`` is taken out: open source nginx refuses it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from nginxaudit.drill.behaviour import ok, refuse
from nginxaudit.drill.load import Call, Traffic, arrivals
from nginxaudit.drill.results import Fault, Scenario
from nginxaudit.drill.running import run as simulate
from nginxaudit.drill.spec import Subject
from nginxaudit.nginx import Version
from tests.live.drill_compare import Case, Run, in_time, log_lines, subject_of

FIXTURES = Path(__file__).parents[2] / "fixtures" / "deployments"
MEASURED = Path(__file__).parent / "drill_deployments.json"
VERSION: Version = (1, 22, 1)
"""The nginx that was measured."""
NAMES = sorted(path.stem for path in FIXTURES.glob("*.conf"))

LOAD = Traffic(rate=40, response_time=30, restart=4000, pause=2000)
_BEGIN, _DURATION = 1500, 12_500  # ms; restarts are half a second away from the seconds that nginx counts
_SCALE = 5
_FAULTS = tuple(
    Fault(server, begin, begin + LOAD.restart, refuse(graceful=True))
    for server, begin in enumerate((_BEGIN, _BEGIN + LOAD.restart + LOAD.pause))
)


class Numbers(Struct, frozen=True):
    """Requests, those that failed, and those that were tried at several servers."""

    requests: int
    failed: int
    retried: int


def case_of(name: str) -> Case:
    """The rolling restart of one deployment."""
    calls = tuple(Call(at, method) for at, method, *_ in arrivals(LOAD, _DURATION, 1, ""))
    does = {
        letter: [(fault.begin, fault.behaviour), (fault.end, ok())]
        for letter, fault in zip("AB", _FAULTS, strict=True)
    }
    return Case(name, "{A} {B}", calls, (), does, response=LOAD.response_time)


def texts(case: Case, port: int, addresses: Mapping[str, str], directory: Path) -> tuple[str, str]:
    """The fixture, with the addresses of this run and a log."""
    text = (FIXTURES / f"{case.name}.conf").read_text()
    text = text.replace("127.0.0.1:8080", addresses["A"]).replace("127.0.0.2:8080", addresses["B"])
    text = re.sub(r"fail_timeout=(\d+)s", lambda each: f"fail_timeout={int(each[1]) // _SCALE}s", text)
    text = re.sub(r"\s*(listen|health_check)\b[^;]*;", "", text)
    text = text.replace("server {", f"server {{ listen 127.0.0.1:{port};")
    return log_lines("http", directory) + text[text.index("http {") + 6 : text.rindex("}")], ""


async def drilled(names: Sequence[str], directory: Path) -> dict[str, Run]:
    """Restart the instances of several deployments at the same time."""
    for name in names:
        (directory / name).mkdir()
    runs = await asyncio.gather(
        *(in_time(case_of(name), directory / name, texts, by_request=False) for name in names)
    )
    return dict(zip(names, runs, strict=True))


def predicted(name: str, version: Version = VERSION) -> Numbers:
    """What the simulator says of this nginx."""
    http, _ = texts(case_of(name), 80, {"A": "127.0.0.1:8080", "B": "127.0.0.2:8080"}, Path("/logs"))
    return _simulated(subject_of(f"events {{}} http {{ {http} }}", version))


def _simulated(subject: Subject) -> Numbers:
    assert subject.group is not None and subject.use is not None, subject.why_not
    scenario = Scenario("rolling", "rolling", "each in turn", _FAULTS, _BEGIN, _FAULTS[-1].end, _DURATION)
    outcome = simulate(subject.group, subject.use, LOAD, scenario)
    return Numbers(outcome.requests, outcome.lost, outcome.retried)


def measured(run: Run) -> Numbers:
    """What nginx logged."""
    tried = [sum(name != "none" for name, _ in entry.attempts) for entry in run.entries]
    failed = sum(entry.status >= 400 for entry in run.entries)
    return Numbers(len(run.entries), failed, sum(number > 1 for number in tried))
