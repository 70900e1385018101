"""Parameters that only newer versions of nginx know."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.upstream.parameters import JUDGED, lacking
from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.nginx import Availability

_OTHERS = ("listen", "resolver", "proxy_http_version", "limit_req", "proxy_cache_path")


def requires_newer_nginx(ctx: CheckContext) -> Iterable[Hit]:
    """Parameters that the target version does not have yet."""
    for node, token, fact in lacking(ctx, (*JUDGED, *_OTHERS), Availability.TOO_NEW):
        plus = f" NGINX Plus has it since {fact.plus_since}." if fact.plus_since else ""
        target = "" if ctx.target.is_range else f"; the target is {ctx.target.label}"
        yield Hit(
            arg(node, token),
            f'the parameter "{fact.name}" of "{node.name}" needs nginx {fact.since} or newer{target}',
            node,
            help=f"Upgrade nginx, or delete the parameter.{plus}",
        )
