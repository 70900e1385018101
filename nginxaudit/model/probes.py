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
    from nginxaudit.model.passes import Pass
    from nginxaudit.model.upstream import Upstream


class Probes(Struct, frozen=True):
    """One check with its defaults filled in. Times are milliseconds.

    ``fails`` failed probes in a row take a server out, ``passes`` good ones bring it back. ``starts_down``: a server
    gets no request before its good probes. ``values`` are all parameters as they are written; ``use`` is the pass whose block
    has a ``health_check``.
    """

    directive: Directive
    interval: int
    fails: int
    passes: int
    timeout: int | None = None
    starts_down: bool = False
    jitter: int = 0
    values: dict[str, str] = {}
    use: Pass | None = None


def probes_of(upstream: Upstream, model: Model) -> Probes | None:
    """The check that probes ``upstream``; None without one, or where a value cannot be known."""
    try:
        found = all_probes(upstream, model)
    except ValueError:
        return None
    return found[0] if found else None


def all_probes(upstream: Upstream, model: Model) -> tuple[Probes, ...]:
    """Every check that probes ``upstream``, each once; raises `ValueError` where a value cannot be known."""
    own = upstream.directive.first("check")
    if own is not None:
        return (_of_module(own),)
    if not model.config.named("health_check"):
        return ()
    found: dict[tuple[object, ...], Probes] = {}
    for each in model.passes_to(upstream):
        node = each.scope.first("health_check")
        if node is not None:
            found.setdefault((str(node.source.path), node.start), _of_plus(node, each))
    return tuple(found.values())


def _of_module(node: Directive) -> Probes:
    values = _values(node)
    return Probes(
        node,
        interval=parse_number(values.get("interval", "30000")),
        fails=parse_number(values.get("fall", "5")),
        passes=parse_number(values.get("rise", "2")),
        timeout=parse_number(values.get("timeout", "1000")),
        starts_down=values.get("default_down", "true").lower() == "true",
        values=values,
    )


def _of_plus(node: Directive, use: Pass) -> Probes:
    values = _values(node)
    return Probes(
        node,
        interval=parse_time_ms(values.get("interval", "5s")),
        fails=parse_number(values.get("fails", "1")),
        passes=parse_number(values.get("passes", "1")),
        starts_down="mandatory" in values,
        jitter=parse_time_ms(values.get("jitter", "0")),
        values=values,
        use=use,
    )


def _values(node: Directive) -> dict[str, str]:
    return {name: value for name, _, value in (str(word).partition("=") for word in node.args)}
