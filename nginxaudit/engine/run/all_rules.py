"""All rules over all roots: one after the other, or in as many processes as pay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nginxaudit.engine.run.clock import NO_CLOCK, Clock
from nginxaudit.engine.run.jobs import processes
from nginxaudit.engine.run.tasks import Outcome, Task, apply
from nginxaudit.model import Model
from nginxaudit.source.limits import Limits


def run(
    models: Sequence[Model],
    tasks: Sequence[Task],
    limits: Limits,
    jobs: int | None = 1,
    clock: Clock = NO_CLOCK,
) -> Iterator[Outcome]:
    """Hits of all ``tasks`` on each root, in the order of the roots and of the tasks.

    ``jobs``: in how many processes; None for automatic.
    """
    most_fixed = limits.max_findings_per_rule
    if jobs != 1:
        count = processes(jobs, models)
        if count > 1:
            from nginxaudit.engine.run.parallel import run_side_by_side

            yield from run_side_by_side(models, tasks, most_fixed, count)
            return
    for model in models:
        outcome = Outcome()
        for task in tasks:
            with clock.rule(task.rule.slug):
                apply(task, model, most_fixed, outcome)
        yield outcome
