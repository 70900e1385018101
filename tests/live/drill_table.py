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

from tests.live import test_drill_failures, test_drill_methods, test_drill_stream
from tests.live.drill_compare import LATE_MS, Case, Run, group_texts, in_time
from tests.support import nginx

_AT_ONCE = 6


class Numbers(Struct, frozen=True):
    """Counts of one side: requests, those without a good answer, those that were tried again, attempts in all."""

    requests: int
    lost: int
    retried: int
    attempts: int


def cases() -> list[Case]:
    """All scenarios in which every request is decided; those of UDP have a test of their own."""
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


def main() -> int:
    """Print a line per scenario, each request that differs, and the sum."""
    chosen = cases()
    with tempfile.TemporaryDirectory() as scratch:
        runs = asyncio.run(_all(chosen, Path(scratch)))
    verdicts: Counter[str] = Counter()
    print(f"nginx {'.'.join(map(str, nginx.version()))}; requests/lost/retried/attempts")
    for case, run in zip(chosen, runs, strict=True):
        measured, predicted = run.measured(), run.predicted()
        late = run.late() > LATE_MS
        verdict = "equal" if measured == predicted else "late" if late else "DIFFERS"
        verdicts[verdict] += 1
        sides = ("/".join(map(str, asdict(_numbers(side)).values())) for side in (predicted, measured))
        print(
            f"{verdict:8} {case.family:6} {case.name[:70]:70} predicted {next(sides):12} measured {next(sides)}"
        )
        if verdict == "DIFFERS":
            for one, other in zip(predicted, measured, strict=True):
                print(f"         predicted {one:40} measured {other}" if one != other else f"         {one}")
    print(
        f"{len(chosen)} scenarios: "
        + ", ".join(f"{number} {name}" for name, number in sorted(verdicts.items()))
    )
    return int(verdicts["DIFFERS"] > 0)


if __name__ == "__main__":
    sys.exit(main())
