"""What a pass sends to its backend: paths, protocol, what the backend needs to know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg, name_of, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass, split_authority
from nginxaudit.syntax.tree import Directive

_HTTP_11_BY_DEFAULT = (1, 29, 7)


def _proxied(ctx: CheckContext, protocol: str = "proxy") -> Iterator[Pass]:
    return (each for each in ctx.model.passes if each.family == "http" and each.protocol == protocol)


def proxy_pass_slash_mismatch(ctx: CheckContext) -> Iterable[Hit]:
    """Location and URI part disagree about the slash at their end."""
    for each in _proxied(ctx):
        location, path = each.location, each.path
        if location is None or path is None or each.runtime or each.scope is not location.directive:
            continue
        if not location.is_prefix or "?" in path or location.pattern.endswith("/") == path.endswith("/"):
            continue
        if path.endswith("/"):
            sent = f"{location.pattern}/x is sent as {path}/x, and {location.pattern}../x as {path}../x, out of that directory"
        else:
            sent = f"{location.pattern}x is sent as {path}x"
        yield Hit(
            arg(each.directive, each.directive.args[0]),
            f"the location and the URI of proxy_pass do not both end with a slash: {sent}",
            each.directive,
            related=(("the location", name_of(location.directive)),),
            help="End both with a slash, or neither.",
        )


def proxy_pass_with_uri(ctx: CheckContext) -> Iterable[Hit]:
    """A URI part, which replaces what the location matched; asked for only."""
    for each in _proxied(ctx):
        if each.path is not None and not each.runtime:
            yield Hit(
                arg(each.directive, each.directive.args[0]),
                f"{each.path} replaces the part of the path that the location matched, and the rest is sent decoded and normalised",
                each.directive,
                help="Leave out the URI to send the path as the client wrote it.",
            )


def proxy_pass_variable_static_uri(ctx: CheckContext) -> Iterable[Hit]:
    """A variable in the host, a constant path: every request goes to that one path."""
    helpers = {
        str(node.args[0]).partition("?")[0]
        for name in ("auth_request", "mirror")
        for node in ctx.model.config.named(name)
        if node.args
    }
    for each in _proxied(ctx):
        if each.target_kind != "variable":
            continue
        location = each.location
        if location is not None and (location.is_exact or location.directive.first("internal")):
            continue
        head, path = split_authority(each.text)
        if path is None or not path.startswith("/") or "$" in path or "$" not in head:
            continue
        if location is not None and location.pattern in helpers:
            continue
        yield Hit(
            arg(each.directive, each.directive.args[0]),
            f"with a variable in proxy_pass nginx adds nothing to the path: every request is sent as {path}",
            each.directive,
            help=f"Leave out {path}, or write $request_uri behind the host.",
        )


def _headers(model: Model, scope: Directive, name: str = "proxy_set_header") -> dict[str, str]:
    """Headers set for a backend by lower-case name, the last one of equal names."""
    return {
        node.args[0].lower(): str(node.args[1]) for node in model.effective(scope, name) if len(node.args) > 1
    }


def websocket_headers_missing(ctx: CheckContext) -> Iterable[Hit]:
    """Half of what a WebSocket needs."""
    set_headers = ctx.model.config.named("proxy_set_header")
    if not any(node.args and node.args[0].lower() in ("upgrade", "connection") for node in set_headers):
        return
    for each in _proxied(ctx):
        headers = _headers(ctx.model, each.scope)
        upgrade, connection = headers.get("upgrade", ""), headers.get("connection", "")
        asks = "$http_upgrade" in upgrade.lower() or upgrade.lower() == "websocket"
        wants = "upgrade" in connection.lower()
        if asks and not connection:
            lacking = "Upgrade is sent without Connection, and the backend ignores it"
        elif wants and not upgrade:
            lacking = "Connection asks for an upgrade, and no Upgrade says to what"
        elif asks and wants and speaks_10(ctx.model, each.scope):
            lacking = "the backend is spoken to in HTTP/1.0, which knows no Upgrade"
        else:
            continue
        yield Hit(
            whole(each.directive),
            f"WebSockets do not get through: {lacking}",
            each.directive,
            help='Write proxy_http_version 1.1; and set both: Upgrade $http_upgrade and Connection "upgrade" (or a map).',
        )


def speaks_10(model: Model, scope: Directive) -> bool:
    """Whether backends are spoken to in HTTP/1.0 from ``scope``."""
    written = model.value(scope, "proxy_http_version")
    if written is not None:
        return written == "1.0"
    return model.target.version < _HTTP_11_BY_DEFAULT


def grpc_requires_http2(ctx: CheckContext) -> Iterable[Hit]:
    """Calls of gRPC behind sockets that do not speak HTTP/2."""
    for each in _proxied(ctx, "grpc"):
        server = each.server
        if server is None or server.listen_unknown or not server.listens:
            continue
        if ctx.model.flag(server.directive, "http2", False) is not False:
            continue
        sockets = ctx.model.sockets("http")
        members = [member for listen in server.listens for _, member in sockets[listen.key].members]
        if not any(listen.http2 or listen.quic for listen in members):
            yield Hit(
                whole(each.directive),
                "no socket of this server speaks HTTP/2: gRPC clients cannot connect",
                each.directive,
                related=(("the server", name_of(server.directive)),),
                help="Write http2 on; in the server (listen … http2 before nginx 1.25.1).",
            )


def fastcgi_missing_script_filename(ctx: CheckContext) -> Iterable[Hit]:
    """PHP without the name of the script, or with two."""
    for each in _proxied(ctx, "fastcgi"):
        pattern = each.location.pattern.lower() if each.location is not None else ""
        if "php" not in pattern and "php" not in each.text.lower():
            continue
        if _unread_around(ctx.model, each.scope) or ctx.model.config.fragment:
            continue
        params = [node for node in ctx.model.effective(each.scope, "fastcgi_param") if node.args]
        names = [node for node in params if node.args[0] == "SCRIPT_FILENAME"]
        if not names:
            yield Hit(
                whole(each.directive),
                "no SCRIPT_FILENAME is sent: PHP answers with an empty page, or File not found",
                each.directive,
                help="Add fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; (or include fastcgi.conf).",
            )
        elif len(names) > 1 and names[0].args[1:2] != names[1].args[1:2]:
            yield Hit(
                whole(names[1]),
                "SCRIPT_FILENAME is sent twice with different values: which one counts is up to the backend",
                names[1],
                related=(("the other one", whole(names[0])),),
                severity=Severity.INFO,
                help="Remove one of the two.",
            )


def _unread_around(model: Model, scope: Directive) -> bool:
    return any(model.unknown_inside(block, direct=True) for block in (scope, *scope.ancestors()))


def sub_filter_compressed_upstream(ctx: CheckContext) -> Iterable[Hit]:
    """Text that is to be replaced in responses that arrive compressed."""
    told: set[Directive] = set()
    for each in _proxied(ctx):
        filters = ctx.model.effective(each.scope, "sub_filter")
        if not filters or filters[0] in told:
            continue
        headers = _headers(ctx.model, each.scope)
        if "accept-encoding" in headers or ctx.model.flag(each.scope, "gunzip", False):
            continue
        told.add(filters[0])
        yield Hit(
            whole(filters[0]),
            "nothing is replaced in compressed responses, and the backend is asked for them as the client asks",
            filters[0],
            related=(("the backend", whole(each.directive)),),
            help='Add proxy_set_header Accept-Encoding ""; (and the other headers of the outer block).',
        )
