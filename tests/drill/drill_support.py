"""Groups, uses and requests for tests of the simulator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nginxaudit.drill.behaviour import Behaviour
from nginxaudit.drill.load import Call
from nginxaudit.drill.replay import replay, shown
from nginxaudit.drill.spec import ServerSpec, UpstreamSpec, Use


def group(*servers: ServerSpec | str, **more: Any) -> UpstreamSpec:
    """A group of servers; a word is a server with the defaults."""
    return UpstreamSpec(
        "app", tuple(ServerSpec(each) if isinstance(each, str) else each for each in servers), **more
    )


def use(conditions: str = "error timeout", **more: Any) -> Use:
    """A use with these words of ``proxy_next_upstream``."""
    return Use("location /", conditions=frozenset(conditions.split()), **more)


def follow(
    group: UpstreamSpec,
    calls: int | str | Sequence[Call],
    does: Mapping[str, Behaviour | Sequence[tuple[int, Behaviour]]] | None = None,
    how: Use | None = None,
    **more: Any,
) -> list[str]:
    """What becomes of requests, one line each: ``A 502, B 200 => 200`` (without ``=> 200``).

    ``calls`` is a number of GET requests 10 ms apart, methods as one word per request, or the list itself.
    """
    if isinstance(calls, int):
        calls = " ".join(["GET"] * calls)
    if isinstance(calls, str):
        calls = [Call(number * 10, method) for number, method in enumerate(calls.split())]
    schedules = {
        name: [(0, each)] if isinstance(each, Behaviour) else list(each)
        for name, each in (does or {}).items()
    }
    traced = replay(group, how or use(), calls, schedules, **more)
    return [shown(group, each).removesuffix(" => 200") for each in traced]


def servers_of(lines: Iterable[str]) -> str:
    """The servers of requests of one attempt each, as one word."""
    return "".join(line.split()[0] for line in lines)
