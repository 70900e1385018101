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
    seconds: float
    memory: float
    ratio: float


def compare(workload: Workload, tools: Sequence[Tool], repeats: int) -> list[Row]:
    """Run the tools in turn ``repeats`` times, after one run each that does not count."""
    able = [(tool, commands) for tool in tools if (commands := tool.commands(workload))]
    samples: dict[str, list[Sample]] = {tool.name: [] for tool, _ in able}
    for number in range(repeats + 1):
        for tool, commands in able:
            sample = _run(commands)
            if number:
                samples[tool.name].append(sample)
    first = samples[able[0][0].name]
    return [
        Row(
            workload.name,
            tool.name,
            median(sample.seconds for sample in samples[tool.name]),
            median(sample.memory for sample in samples[tool.name]),
            median(own.seconds / other.seconds for own, other in zip(samples[tool.name], first, strict=True)),
        )
        for tool, _ in able
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
