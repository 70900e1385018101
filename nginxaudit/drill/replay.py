"""An explicit list of requests, attempt by attempt: for tests against a running nginx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from nginxaudit.drill.behaviour import Schedule
from nginxaudit.drill.extended import simulation_of
from nginxaudit.drill.load import Call, explicit
from nginxaudit.drill.spec import UpstreamSpec, Use
from nginxaudit.drill.tally import Tally, Traced

_AFTERWARDS = 600_000  # ms after the last request until which schedules that repeat go on


def replay(
    group: UpstreamSpec,
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
    base = min((call.at for call in calls), default=0) // 1000 * 1000  # times may count from 1970
    known = {name: _shifted(schedule, -base) for name, schedule in (schedules or {}).items()}
    by_index = {
        index: known[server.name] for index, server in enumerate(group.servers) if server.name in known
    }
    last = max((call.at for call in calls), default=0) - base
    tally = Tally(len(group.servers), last // 1000 + 1)
    simulation = simulation_of(group)(
        group,
        use,
        by_index,
        tally,
        workers=workers,
        response=response,
        client_timeout=client_timeout,
        horizon=last + _AFTERWARDS,
        seed=seed,
    )
    simulation.run(explicit(tuple(calls), -base), trace=True)
    ordered = sorted(tally.traces, key=lambda each: each.at)
    return tuple(replace(each, at=each.at + base, end=each.end + base) for each in ordered)


def _shifted(schedule: Schedule, by: int) -> Schedule:
    return [(start + by, behaviour) for start, behaviour in schedule]


def shown(group: UpstreamSpec, traced: Traced) -> str:
    """A request as one line: ``A 502, B 200 => 200``; ``none`` where no server was eligible."""
    names = [server.name for server in group.servers]
    attempts = ", ".join(
        f"{names[each.server] if each.server >= 0 else 'none'} {each.status}" for each in traced.attempts
    )
    return f"{attempts} => {traced.status}"
