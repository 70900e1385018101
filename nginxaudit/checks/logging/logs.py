"""Logs: what they do not tell, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, Place, arg, whole
from nginxaudit.model.variables import references

_UPSTREAM_FIELDS = frozenset(
    {
        "upstream_addr",
        "upstream_status",
        "upstream_response_time",
        "upstream_connect_time",
        "upstream_header_time",
    }
)


def log_missing_upstream_fields(ctx: CheckContext) -> Iterable[Hit]:
    """Logs of a proxy that do not tell which backend answered; once per format."""
    formats = {
        node.args[0].lower(): node for node in ctx.model.config.named("log_format") if len(node.args) > 1
    }
    told: set[str] = set()
    for each in ctx.model.passes:
        if each.upstream is None or len(each.upstream.peers) < 2:
            continue
        for log in ctx.model.effective(each.scope, "access_log"):
            name = log.args[1].lower() if len(log.args) > 1 and "=" not in log.args[1] else "combined"
            node = formats.get(name)
            if log.args[:1] == ["off"] or name in told or (node is None and name != "combined"):
                continue
            told.add(name)
            names = {
                reference.name for token in (node.args[1:] if node else ()) for reference in references(token)
            }
            if names.isdisjoint(_UPSTREAM_FIELDS):
                yield Hit(
                    whole(node) if node is not None else whole(log),
                    f"log format {name} does not log which server of {each.upstream.name} answered or failed",
                    node or log,
                    related=(("requests are load balanced here", whole(each.directive)),),
                    help="Log $upstream_addr, $upstream_status and $upstream_response_time.",
                )


def error_log_level_high(ctx: CheckContext) -> Iterable[Hit]:
    """Logs that leave out why backends failed."""
    for node in ctx.model.config.named("error_log"):
        if (
            len(node.args) > 1
            and node.args[1] in ("crit", "alert", "emerg")
            and not node.args[0].startswith("/dev/null")
        ):
            yield Hit(
                arg(node, node.args[1]),
                f"the level {node.args[1]} hides failures of backends, which are logged as errors and warnings",
                node,
                help="Use warn or error.",
            )


def access_log_disabled(ctx: CheckContext) -> Iterable[Hit]:
    """Servers without a trace, and logs that an ``off`` beside them cancels."""
    for node in ctx.model.config.named("access_log"):
        if node.args[:1] != ["off"] or node.parent is None:
            continue
        others = [
            each for each in node.parent.named("access_log") if each is not node and each.args[:1] != ["off"]
        ]
        if others:
            yield Hit(
                whole(node),
                "access_log off disables the other access_log directives of this block",
                node,
                related=(("not written", whole(others[0])),),
                severity=Severity.WARNING,
                help="Delete one of the two.",
            )
        elif node.context == "http" and not any(
            each.context != "http" and each.args[:1] != ["off"]
            for each in ctx.model.config.named("access_log")
        ):
            yield Hit(
                whole(node),
                "access_log off: attacks and failures cannot be investigated",
                node,
                help="Turn it off only for health checks and static files.",
            )


def error_log_unset(ctx: CheckContext) -> Iterable[Hit]:
    """The log of errors is where the build put it; asked for only."""
    if (
        not ctx.model.config.named("error_log")
        and ctx.model.config.is_whole
        and ctx.model.config.top.children
    ):
        first = ctx.model.config.top.children[0]
        yield Hit(
            Place(first.source, first.start, first.name_end, first.via),
            "error_log is not set: errors go to the compiled-in path",
            first,
            help="Write error_log /var/log/nginx/error.log warn;",
        )
