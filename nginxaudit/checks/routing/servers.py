"""Which server and which location answers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, name_of
from nginxaudit.model import Model
from nginxaudit.nginx.names import FAMILIES, NAMING
from nginxaudit.syntax.tree import Directive


def missing_listen(ctx: CheckContext) -> Iterable[Hit]:
    """A server without ``listen``: nginx opens a port nobody wrote, or refuses to start.

    Facts: ``ngx_http_core_server`` in src/http/ngx_http_core_module.c (80 for root, else 8000);
    ``ngx_stream_core_server`` and ``ngx_mail_core_server`` refuse such a block.
    """
    for family in FAMILIES:
        for server in ctx.model.servers(family):
            if server.has_listen or server.unread:
                continue
            node = server.directive
            if family == "http":
                yield Hit(
                    name_of(node),
                    "no listen directive: this server listens on *:80 if nginx is started as root, "
                    "on *:8000 otherwise",
                    node,
                    severity=Severity.INFO if ctx.once(_is_started_as_root) else None,
                    make_fix=partial(_listening, node),
                )
            else:
                yield Hit(
                    name_of(node),
                    f'no "listen" is defined for this {family} server',
                    node,
                    severity=Severity.ERROR,
                    rejected=True,
                    help="Add listen with an address or a port.",
                    why="nginx refuses to load the configuration.",
                )


def _is_started_as_root(model: Model) -> bool:
    """Whether only root starts nginx with it: it changes the user of the workers, which says nothing to others."""
    return model.config.top.first("user") is not None


def _listening(node: Directive) -> Edits:
    """The port that the server has when nginx is started as root, written down."""
    return (edits.first_in(node, "listen 80;"),)


def try_files_undefined_location(ctx: CheckContext) -> Iterable[Hit]:
    """A named location that the server does not have: 500, and `nginx -t` says nothing."""
    for name in NAMING:
        for node in ctx.model.config.named(name):
            token = node.args[-1] if node.args else None
            if token is None or not token.startswith("@") or "$" in token:
                continue
            server = ctx.model.server_of(node)
            block = server.directive if server else None
            if server is None or block is None or ctx.model.unknown_inside(block):
                continue
            if token not in server.named_locations:
                yield Hit(
                    arg(node, token),
                    f'could not find named location "{token}" in this server: requests that reach it get 500',
                    node,
                    help="Define the location in this server, or correct the name.",
                )


def server_name_never_matches(ctx: CheckContext) -> Iterable[Hit]:
    """Names with something that the host of a request never has.

    nginx compares names with the host without its port and final dot, and refuses a host with a slash
    (``ngx_http_validate_host`` in src/http/ngx_http_request.c).
    """
    for node in ctx.model.config.named("server_name"):
        if ctx.model.family_of(node) != "http":
            continue
        for token in node.args:
            problem, remedy = _never(token)
            if problem and not token.startswith("~") and "$" not in token and not token.filled:
                yield Hit(arg(node, token), f'"{token}" never matches: {problem}', node, help=remedy)


def _never(name: str) -> tuple[str, str]:
    """Why no host of a request is this name, and the remedy."""
    if "/" in name:
        return "a host name contains no scheme or path", "Write only the host name."
    if "," in name:
        return "the comma is part of the name", "Separate names with spaces."
    if ":" in name and not (name.startswith("[") and name.endswith("]")):
        if name.count(":") > 1 and not name.startswith("["):
            return "IPv6 addresses in Host headers have brackets", f"Write [{name}]."
        return "nginx compares the host without the port", "Delete the port; listen sets it."
    if name.endswith(".") and len(name) > 1:
        return "nginx removes the trailing dot of the host", "Delete the trailing dot."
    if not name.isascii():
        return "clients send the ASCII form xn--…", "Write the ASCII form of the name."
    return "", ""
