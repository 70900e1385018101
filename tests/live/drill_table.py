"""``python -m tests.live.drill_table`` runs every live scenario of the drill and prints what was predicted and measured.

Several scenarios run at a time; one in which the machine was too busy is marked as late and proves nothing. The exit code is 1
where a scenario that was in time disagrees.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from tests.live import (
    test_drill_failures,
    test_drill_methods,
    test_drill_sticky,
    test_drill_stream,
    test_drill_udp,
)
from tests.live.drill_compare import LATE_MS, Case, Run, group_texts, in_time
from tests.support import nginx
from tests.support.judges import judges

_AT_ONCE = 6


class Numbers(Struct, frozen=True):
    """Counts of one side: requests, those without a good answer, those that were tried again, attempts in all."""

    requests: int
    lost: int
    retried: int
    attempts: int


class Row(Struct, frozen=True):
    """One scenario: its requests as predicted and as measured, as lines such as ``A 502, B 200 => 200``."""

    family: str
    name: str
    predicted: Sequence[str]
    measured: Sequence[str]
    late: bool = False

    @property
    def verdict(self) -> str:
        """``equal``, or for a difference ``DIFFERS``; ``late`` where the machine was too busy."""
        if self.predicted == self.measured:
            return "equal"
        return "late" if self.late else "DIFFERS"


def cases() -> list[Case]:
    """All scenarios in which every request is decided, for any nginx."""
    from dataclasses import replace

    failures, methods = test_drill_failures, test_drill_methods
    http = [*failures.RETRIES, *failures.STATUSES, *failures.TIME, *failures.GROUPS, *failures.KEEPALIVE]
    balanced = [*methods.METHODS, *methods.CONNECTIONS, *methods.WORKERS]
    return [*http, *balanced, *(replace(case, family="stream") for case in test_drill_stream.CASES)]


def _numbers(lines: Sequence[str]) -> Numbers:
    """The counts of lines such as ``A 502, B 200 => 200``."""
    tried = [sum(not each.startswith("none") for each in line.split(" => ")[0].split(", ")) for line in lines]
    lost = sum(int(line.rpartition(" ")[2]) >= 400 for line in lines)
    return Numbers(len(lines), lost, sum(number > 1 for number in tried), sum(tried))


async def _all(chosen: Sequence[Case], directory: Path) -> list[Run]:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, case: Case) -> Run:
        own = directory / str(number)
        own.mkdir()
        async with turn:
            return await in_time(case, own, group_texts)

    return list(await asyncio.gather(*(one(number, case) for number, case in enumerate(chosen))))


def _measured(chosen: Sequence[Case]) -> list[Row]:
    """The rows of scenarios over TCP."""
    with tempfile.TemporaryDirectory() as scratch:
        runs = asyncio.run(_all(chosen, Path(scratch)))
    return [
        Row(case.family, case.name, run.predicted(), run.measured(), late=run.late() > LATE_MS)
        for case, run in zip(chosen, runs, strict=True)
    ]


def _datagrams() -> list[Row]:
    """The rows of UDP."""
    with tempfile.TemporaryDirectory() as scratch:
        return [
            Row("udp", each.case.name, *([f"{line} => {line[2:]}" for line in side] for side in sides))
            for each in test_drill_udp.compared(Path(scratch))
            for sides in [(each.predicted, each.measured)]
        ]


def rows() -> list[Row]:
    """All scenarios on the first nginx; those that it does not know on the first that does."""
    found = [*_measured(cases()), *_datagrams()]
    newer = [each for each in judges() if each.version >= test_drill_sticky.SINCE]
    if newer:
        with nginx.asked(newer[0]):
            found += _measured(test_drill_sticky.CASES)
    return found


def main() -> int:
    """Print a line per scenario, each request that differs, and the sum."""
    print(f"{', '.join(each.name for each in judges())}; requests/lost/retried/attempts")
    verdicts: Counter[str] = Counter()
    for row in rows():
        verdicts[row.verdict] += 1
        sides = (
            "/".join(map(str, asdict(_numbers(side)).values())) for side in (row.predicted, row.measured)
        )
        print(
            f"{row.verdict:8} {row.family:6} {row.name[:70]:70} predicted {next(sides):12} measured {next(sides)}"
        )
        if row.verdict == "DIFFERS":
            for one, other in zip(row.predicted, row.measured, strict=True):
                print(f"         predicted {one:40} measured {other}" if one != other else f"         {one}")
    total = ", ".join(f"{number} {name}" for name, number in sorted(verdicts.items()))
    print(f"{sum(verdicts.values())} scenarios: {total}")
    return int(verdicts["DIFFERS"] > 0)


if __name__ == "__main__":
    sys.exit(main())
