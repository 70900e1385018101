"""Time and peak memory of whole processes, tools in turn, so that a busy machine is busy for all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.workloads import Workload


@dataclass(frozen=True)
class Tool:
    """A tool and the commands with which it judges a workload; no command: it cannot."""

    name: str
    commands: Callable[[Workload], Sequence[Sequence[str]]]


@dataclass(frozen=True)
class Sample:
    """Seconds of wall time, and peak memory in MiB of the largest process."""

    seconds: float
    memory: float


@dataclass(frozen=True)
class Row:
    """One tool on one workload: medians, and the median of the ratios to the first tool's time, run by run."""

    workload: str
    tool: str
    runs: int
    seconds: float
    memory: float
    ratio: float


def compare(workload: Workload, tools: Sequence[Tool], repeats: int, budget: float) -> list[Row]:
    """Run the tools in turn ``repeats`` times, or until ``budget`` seconds are over, but once at least.

    A first run of each does not count, unless all of them together take longer than a fifth of the budget.
    """
    able = [(tool, commands) for tool in tools if (commands := tool.commands(workload))]
    begun = time.perf_counter()
    rounds = [[_run(commands) for _, commands in able]]
    if time.perf_counter() - begun < budget / 5:
        rounds.clear()
    while len(rounds) < repeats and (not rounds or time.perf_counter() - begun < budget):
        rounds.append([_run(commands) for _, commands in able])
    return [
        Row(
            workload.name,
            tool.name,
            len(rounds),
            median(samples[number].seconds for samples in rounds),
            median(samples[number].memory for samples in rounds),
            median(samples[number].seconds / samples[0].seconds for samples in rounds),
        )
        for number, (tool, _) in enumerate(able)
    ]


def _run(commands: Sequence[Sequence[str]]) -> Sample:
    begun = time.perf_counter()
    memory = max(_peak(command) for command in commands)
    return Sample(time.perf_counter() - begun, memory / 1024)


def _peak(command: Sequence[str]) -> int:
    """Peak memory of one process in KiB. Raises `RuntimeError` when it does not end as a linter does."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    try:
        child = os.posix_spawnp(
            command[0],
            list(command),
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, nowhere, stream) for stream in (0, 1, 2)],
        )
    finally:
        os.close(nowhere)
    _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise RuntimeError(f"{' '.join(command[:3])} … ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss
