"""An explicit list of requests, attempt by attempt: for tests against a running nginx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nginxaudit.drill.behaviour import Schedule
from nginxaudit.drill.group import Group, Use
from nginxaudit.drill.load import Call, explicit
from nginxaudit.drill.simulation import Simulation
from nginxaudit.drill.tally import Tally, Traced


def replay(
    group: Group,
    use: Use,
    calls: Sequence[Call],
    schedules: Mapping[str, Schedule] | None = None,
    *,
    workers: int = 1,
    response: int = 1,
    client_timeout: int = 0,
    seed: int = 1,
) -> tuple[Traced, ...]:
    """What becomes of every one of ``calls``, in order of their times (those of equal times as listed).

    ``schedules`` are by the name of the server. ``client_timeout`` 0: clients wait for ever. Times are ms.
    """
    known = schedules or {}
    by_index = {
        index: known[server.name] for index, server in enumerate(group.servers) if server.name in known
    }
    last = max((call.at for call in calls), default=0)
    tally = Tally(len(group.servers), last // 1000 + 1)
    simulation = Simulation(
        group,
        use,
        by_index,
        tally,
        workers=workers,
        response=response,
        client_timeout=client_timeout,
        horizon=last + 600_000,
        seed=seed,
    )
    simulation.run(explicit(tuple(calls)), trace=True)
    return tuple(sorted(tally.traces, key=lambda each: each.at))


def shown(group: Group, traced: Traced) -> str:
    """A request as one line: ``A 502, B 200 => 200``; ``none`` where no server was eligible."""
    names = [server.name for server in group.servers]
    attempts = ", ".join(
        f"{names[each.server] if each.server >= 0 else 'none'} {each.status}" for each in traced.attempts
    )
    return f"{attempts} => {traced.status}"
