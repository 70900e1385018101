"""Regular expressions that a plain comparison could replace."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.routing.regexes import of_kind
from nginxaudit.hit import CheckContext, Hit, arg


def regex_could_be_exact(ctx: CheckContext) -> Iterable[Hit]:
    """A location whose expression matches one path: ``=`` says that, and costs nothing."""
    for written in of_kind(ctx, "location"):
        expression = written.expression
        path = expression.literal if expression is not None and not written.caseless else None
        if path is None or not path.startswith("/") or (expression and expression.groups):
            continue
        yield Hit(
            arg(written.directive, written.token),
            f"this expression matches {path} alone: every request that gets here tries it",
            written.directive,
            help=f"Write location = {path}, which is found without trying expressions (and goes before all of them).",
        )
