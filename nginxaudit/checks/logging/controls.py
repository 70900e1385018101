"""What standards ask of logs: their content, and that they leave the host."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, arg, listed, whole
from nginxaudit.model.variables import references
from nginxaudit.syntax.tree import Directive

_WANTED = {
    "the client": {"remote_addr", "binary_remote_addr", "realip_remote_addr", "http_x_forwarded_for", "http_x_real_ip", "proxy_protocol_addr"},
    "the time": {"time_local", "time_iso8601", "msec"},
    "the request": {"request", "request_uri", "uri"},
    "the status": {"status"},
}  # fmt: skip
_COLLECTED = (
    "syslog:server=",
    "/dev/stdout",
    "/dev/stderr",
    "stderr",
    "/proc/self/fd/",
    "/dev/fd/",
    "/dev/null",
)
"""What leaves the host, or is collected by what runs nginx."""
_OFF = ("off", "/dev/null")


def log_format_incomplete(ctx: CheckContext) -> Iterable[Hit]:
    """Formats of access logs that leave out who asked, when, for what, or how it ended, where no other log has it."""
    model = ctx.model
    formats = {
        str(node.args[0]): node
        for node in model.config.named("log_format")
        if len(node.args) > 1 and model.family_of(node) == "http"
    }
    own = set(model.variable_definitions("http"))  # may hold anything
    lacking = {name: missing for name, node in formats.items() if (missing := _lacking(node, own))}
    alone: dict[str, None] = {}
    for block in dict.fromkeys(node.parent for node in model.config.named("access_log")):
        used = [_format_of(node) for node in block.named("access_log")] if block is not None else []
        if all(name in lacking for name in used):
            alone.update(dict.fromkeys(used))
    for name in alone:
        node = formats[name]
        yield Hit(
            arg(node, node.args[0]),
            f"log format {name} does not log {listed(lacking[name])}",
            node,
            help="Add $remote_addr, $time_iso8601, $request and $status.",
        )


def _lacking(node: Directive, own: set[str]) -> list[str]:
    """What a format leaves out."""
    known = {reference.name for token in node.args[1:] for reference in references(token)}
    return [] if known & own else [what for what, names in _WANTED.items() if known.isdisjoint(names)]


def _format_of(node: Directive) -> str:
    """The format of an ``access_log``; of one that is off the complete one, which is never reported."""
    named = len(node.args) > 1 and "=" not in node.args[1] and node.args[0] != "off"
    return str(node.args[1]) if named else "combined"


def log_not_central(ctx: CheckContext) -> Iterable[Hit]:
    """Logs that stay on the host; once for access_log and once for error_log."""
    model = ctx.model
    for name in ("access_log", "error_log"):
        nodes = [node for node in model.config.named(name) if node.args and node.args[0] not in _OFF]
        if not nodes or not model.config.is_whole or any(model.is_filled_in(node) for node in nodes):
            continue
        if not any(node.args[0].startswith(_COLLECTED) or "$" in node.args[0] for node in nodes):
            yield Hit(
                whole(nodes[0]),
                f"{name} is written to local files only: an attacker on the host can delete it",
                nodes[0],
                related=tuple(("also local", whole(node)) for node in nodes[1:4]),
                help=f"Write {name} syslog:server=ADDRESS; in addition, or collect the files.",
            )
