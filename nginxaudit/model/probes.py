"""Active health checks: how often servers are probed, and how many results change their state.

``health_check`` of NGINX Plus (https://nginx.org/en/docs/http/ngx_http_upstream_hc_module.html) and ``check`` of
nginx_upstream_check_module, which Tengine has, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from nginxaudit.nginx import parse_number, parse_time_ms
from nginxaudit.syntax.tree import Directive

if TYPE_CHECKING:
    from nginxaudit.model.model import Model
    from nginxaudit.model.upstream import Upstream


class Probes(Struct, frozen=True):
    """One check with its defaults filled in. Times are milliseconds.

    ``fails`` failed probes in a row take a server out, ``passes`` good ones bring it back. ``starts_down``: a server
    gets no request before its first good probe.
    """

    directive: Directive
    interval: int
    fails: int
    passes: int
    timeout: int | None = None
    starts_down: bool = False


def probes_of(upstream: Upstream, model: Model) -> Probes | None:
    """The check that probes ``upstream``; None without one, or where a value cannot be known."""
    try:
        own = upstream.directive.first("check")
        if own is not None:
            return _of_module(own)
        if not model.config.named("health_check"):
            return None
        found = (each.scope.first("health_check") for each in model.passes_to(upstream))
        first = next((node for node in found if node is not None), None)
        return None if first is None else _of_plus(first)
    except ValueError:
        return None


def _of_module(node: Directive) -> Probes:
    values = _values(node)
    return Probes(
        node,
        interval=parse_number(values.get("interval", "30000")),
        fails=parse_number(values.get("fall", "5")),
        passes=parse_number(values.get("rise", "2")),
        timeout=parse_number(values.get("timeout", "1000")),
        starts_down=values.get("default_down", "true") == "true",
    )


def _of_plus(node: Directive) -> Probes:
    values = _values(node)
    return Probes(
        node,
        interval=parse_time_ms(values.get("interval", "5s")),
        fails=parse_number(values.get("fails", "1")),
        passes=parse_number(values.get("passes", "1")),
        starts_down="mandatory" in values,
    )


def _values(node: Directive) -> dict[str, str]:
    return {name: value for name, _, value in (str(word).partition("=") for word in node.args)}
