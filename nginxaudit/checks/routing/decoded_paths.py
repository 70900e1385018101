"""Paths that reach the backend decoded."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.model.location import Location
from nginxaudit.model.taint import Origin


def proxy_pass_decoded_path(ctx: CheckContext) -> Iterable[Hit]:
    """A path that is sent decoded: what was escaped changes its meaning."""
    for each in ctx.model.passes:
        if each.protocol != "proxy" or not each.runtime or each.family != "http":
            continue
        rest = each.text.partition("://")[2]
        for origin in ctx.model.taint.origins(rest, each.directive):
            if (
                origin.kind != "path"
                or origin.raw
                or not (origin.slash or "/" in rest[: origin.offset])
                or not _may_be_escaped(each.location, origin)
            ):
                continue
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            yield Hit(
                arg(each.directive, each.directive.args[0]),
                f"{origin.via} is decoded: %3F, %23 and %2F from the client are sent as ?, # and /",
                each.directive,
                help="Use $request_uri, or no variable, so that nginx escapes the path.",
                witness=detours.decoded(ctx, each.directive),
            )
            break


def _may_be_escaped(location: Location | None, origin: Origin) -> bool:
    """The part can hold characters with a meaning in URLs."""
    if origin.via == origin.variable:
        return True
    if location is None or not location.is_regex:
        return False
    expression = location.expression
    name = origin.via[1:]
    if expression is None:
        return False
    group: int | str = int(name) if name.isdigit() else name
    return expression.group(group) is not None and expression.group_may_contain(group, "?#%")
