"""Which servers and locations some requests reach."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from nginxaudit.model import Model
from nginxaudit.request.records import Trace
from nginxaudit.syntax.tree import Directive


class Coverage(Struct, frozen=True):
    """Servers and locations of a configuration, and those of them that no request reached."""

    servers: int
    locations: int
    missed_servers: tuple[Directive, ...]
    missed_locations: tuple[Directive, ...]


def coverage(model: Model, traces: Iterable[Trace]) -> Coverage:
    """What ``traces`` with their steps passed through."""
    reached: set[Directive] = set()
    for trace in traces:
        for outcome in trace.outcomes:
            reached.update(node for node in (outcome.server, outcome.location) if node is not None)
        reached.update(
            step.node
            for step in trace.steps
            if step.node is not None and step.phase in ("server", "location")
        )
    every = (*model.servers("http"), *model.servers("stream"))
    servers = [server.directive for server in every if server.directive.source.path]
    inside = [
        location.directive
        for location in model.locations
        if location.server is not None and location.server.family == "http"
    ]
    return Coverage(
        len(servers),
        len(inside),
        tuple([node for node in servers if node not in reached]),
        tuple([node for node in inside if node not in reached]),
    )
