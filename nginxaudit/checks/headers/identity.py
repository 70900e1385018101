"""Headers that tell a backend who asks, set by some locations only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.checks.headers.forwarding import lacks_host
from nginxaudit.hit import CheckContext, Hit, listed, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.nginx.patterns import compiled

_SET = "proxy_set_header"
_CLIENT = {"x-forwarded-for": "X-Forwarded-For", "x-real-ip": "X-Real-IP", "forwarded": "Forwarded"}
_NOT_FOR_CLIENTS = r"health|status|ping|metrics|ready|alive|favicon|robots|auth"
"""Locations that monitoring, browsers by themselves or nginx ask: who asks is of no interest there."""


def forwarded_headers_inconsistent(ctx: CheckContext) -> Iterable[Hit]:
    """A backend that learns the client, or the host, from some locations of a server only."""
    model = ctx.model
    if not model.config.named(_SET):
        return
    groups: dict[tuple[object, object], list[Pass]] = {}
    for each in model.passes:
        if each.protocol == "proxy" and each.target_kind in ("upstream", "address") and each.server:
            groups.setdefault((each.server, each.upstream or (each.host, each.port)), []).append(each)
    for passes in groups.values():
        if len(passes) > 1:
            yield from _hits(model, passes)


def _hits(model: Model, passes: list[Pass]) -> Iterator[Hit]:
    sent = {each.directive: _headers(model, each) for each in passes}
    for names in (_CLIENT, {"host": "Host"}):
        setting = [each for each in passes if not sent[each.directive].isdisjoint(names)]
        lacking = [each for each in passes if each not in setting and _counts(model, each, names)]
        if not lacking or len(setting) < len(lacking):
            continue
        known = sent[setting[0].directive]
        shown = listed([word for name, word in names.items() if name in known])
        first, example = lacking[0], setting[0]
        places = listed([each.location.label for each in lacking if each.location], limit=3)
        yield Hit(
            whole(first.directive),
            f"{shown} not set in {places}, but in other locations with this backend",
            first.directive,
            related=(
                ("set in this location", whole(example.directive)),
                *(("also not set here", whole(each.directive)) for each in lacking[1:]),
            ),
            help=f"Repeat the {_SET} lines in this location, or write them once in the server block.",
        )


def _headers(model: Model, each: Pass) -> set[str]:
    return {node.args[0].lower() for node in model.effective(each.scope, _SET) if node.args}


def _counts(model: Model, each: Pass, names: dict[str, str]) -> bool:
    """Whether a pass that sends none of ``names`` seems to have been forgotten."""
    location = each.location
    if location is None or location.directive.first("internal") or location.pattern.startswith("@"):
        return False
    if model.may_be_set(each.scope, _SET) or compiled(_NOT_FOR_CLIENTS).search(location.pattern.lower()):
        return False
    if model.flag(each.scope, "proxy_pass_request_headers", default=True) is not True:
        return False
    if "host" in names and lacks_host(model, each):
        return False  # proxy-host-header-unset
    return not _is_dropped(model, each, names)


def _is_dropped(model: Model, each: Pass, names: dict[str, str]) -> bool:
    """Whether an outer block sets it, and the lines of an inner one drop it: proxy-set-header-inheritance."""
    return any(
        node.args and node.args[0].lower() in names
        for block in each.scope.ancestors()
        for node in block.named(_SET)
    )
