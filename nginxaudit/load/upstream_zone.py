"""A shared memory zone for an upstream that has none."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit import edits
from nginxaudit.hit import Edits
from nginxaudit.model import Model
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive

SIZE = "64k"
_PLAIN_NAME = r"[A-Za-z0-9_.-]+"
_ZONE_WORD = r"(?:[a-z_]*zone=|shared:)([^:]+)"


def zone_of(upstream: Upstream, model: Model) -> Edits:
    """A zone for ``upstream``; None when no name for it is free."""
    name = upstream.name
    other = "stream" if upstream.family == "http" else "http"
    names = [f"{name}_{upstream.family}"] if upstream.key in model.groups(other) else [name]
    taken = model.once(_zones)
    free = next((each for each in (*names, f"{name}_upstream") if each not in taken), None)
    if free is None or compiled(_PLAIN_NAME).fullmatch(free) is None:
        return None
    return (edits.first_in(upstream.directive, f"zone {free} {SIZE};"),)


def _zones(model: Model) -> frozenset[str]:
    """Names of all zones, of whatever kind: nginx has one name space for them."""
    return frozenset(_zone_names(model.config.top.walk()))


def _zone_names(nodes: Iterable[Directive]) -> Iterable[str]:
    for node in nodes:
        if node.args and node.name in ("zone", "lua_shared_dict"):
            yield str(node.args[0])
        for token in node.args:
            found = compiled(_ZONE_WORD).match(token)
            if found:
                yield found[1]
