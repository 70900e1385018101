"""Logs: what they do not tell, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.routing.serving import never_serves
from nginxaudit.checks.security.access import is_restricted
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, Place, arg, whole
from nginxaudit.model import Model
from nginxaudit.model.access import is_local
from nginxaudit.model.variables import references
from nginxaudit.nginx.names import PASS_DIRECTIVES
from nginxaudit.syntax.tree import Directive

_LOGGING = frozenset({"main", "http", "server", "stream", "stream-server"})
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
    reported: set[str] = set()
    for each in ctx.model.passes:
        if each.upstream is None or len(each.upstream.peers) < 2:
            continue
        for log in ctx.model.effective(each.scope, "access_log"):
            name = log.args[1].lower() if len(log.args) > 1 and "=" not in log.args[1] else "combined"
            node = formats.get(name)
            if log.args[:1] == ["off"] or name in reported or (node is None and name != "combined"):
                continue
            reported.add(name)
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
        if not _discards(node) or node.parent is None:
            continue
        others = [
            each for each in node.parent.named("access_log") if each is not node and not _discards(each)
        ]
        if others and node.args[0] != "off":
            continue
        if others:
            yield Hit(
                whole(node),
                "access_log off disables the other access_log directives of this block",
                node,
                related=(("this log is not written", whole(others[0])),),
                severity=Severity.WARNING,
                help="Delete one of the two.",
                why="off cancels all access_log directives of its block, so the log that is configured here stays empty.",
            )
        elif node.context == "http" and not any(
            each.context != "http" and not _discards(each) for each in ctx.model.config.named("access_log")
        ):
            yield Hit(
                whole(node),
                "access_log off: requests are not logged in any server",
                node,
                help="Turn it off only for health checks and static files.",
            )
        elif node.context == "server" and _serves(ctx.model, node.parent):
            yield Hit(
                whole(node),
                "access_log off: the requests of this server are not logged",
                node,
                help="Turn it off for health checks and static files only.",
            )


def _discards(node: Directive) -> bool:
    return node.args[:1] in (["off"], ["/dev/null"])


def _serves(model: Model, block: Directive) -> bool:
    """Whether a server answers unauthenticated clients with more than fixed texts, and none of its locations has a log."""
    server = model.server_of(block)
    if server is None or server.family != "http" or is_local(server) or _answers(model, block):
        return False
    if model.unknown_inside(block):
        return False
    served = [block, *(each.directive for each in server.all_locations())]
    if any(not _discards(each) for inner in served[1:] for each in inner.named("access_log")):
        return False
    handlers = (*PASS_DIRECTIVES, "root", "alias", "try_files")
    content = [inner for inner in served if any(map(inner.first, handlers)) and not _answers(model, inner)]
    return bool(content) and not is_restricted(model, block)


def _answers(model: Model, block: Directive) -> bool:
    """Whether a block is there to answer with fixed texts or redirects."""
    return block.first("return") is not None or never_serves(model, block)


def error_log_discarded(ctx: CheckContext) -> Iterable[Hit]:
    """Errors that are written nowhere."""
    for node in ctx.model.config.named("error_log"):
        block = node.parent
        if node.args[:1] != ["/dev/null"] or block is None or node.context not in _LOGGING:
            continue
        if any(each.args[:1] != ["/dev/null"] for each in block.named("error_log")):
            continue
        server = ctx.model.server_of(block) if block.inner == "server" else None
        if server is not None and (is_local(server) or _answers(ctx.model, block)):
            continue
        yield Hit(
            whole(node),
            "error_log /dev/null discards all errors",
            node,
            help="Write error_log /var/log/nginx/error.log error;",
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


def unused_log_format(ctx: CheckContext) -> Iterable[Hit]:
    """Formats that no log uses."""
    model = ctx.model
    if not model.config.is_whole or model.takes_more_files:
        return
    used = {
        (model.family_of(node), token)
        for node in model.config.top.walk()
        if node.name.endswith("_log")
        for token in node.args[1:]
    }
    for node in model.config.named("log_format"):
        if node.args and (model.family_of(node), node.args[0]) not in used and not model.is_filled_in(node):
            yield Hit(
                arg(node, node.args[0]),
                f"no access_log uses the log format {node.args[0]}",
                node,
                help=f"Write access_log PATH {node.args[0]}; or delete the format.",
            )
