"""What a pass sends to its backend: paths, protocol, what the backend needs to know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.inherited import put
from nginxaudit.finding import Applicability, Fix, Severity
from nginxaudit.hit import CheckContext, Hit, arg, name_of, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.access import keeps_out
from nginxaudit.model.location import Location
from nginxaudit.model.passes import Pass, split_authority
from nginxaudit.model.server import Server
from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.since import HTTP2_DIRECTIVE, KEEPALIVE_BY_DEFAULT
from nginxaudit.syntax.tree import Directive

_FILE = r"/[^/]*[A-Za-z0-9_-]\.[A-Za-z][A-Za-z0-9]{1,4}$"

_DIRECTORY = r"(?:.*/)?[^/.]*[A-Za-z0-9]"
"""A path whose last name looks like a directory: no dot in it, and nothing at its end that waits for more."""


_ENDPOINTS = frozenset(
    {
        "login", "logout", "signin", "signup", "register", "auth", "authorize", "oauth", "oauth2", "token", "verify", "callback",
        "webhook", "webhooks", "hook", "graphql", "rpc", "jsonrpc", "query", "search", "upload", "submit", "ws", "wss", "websocket",
        "socket", "events", "stream", "sse", "health", "healthz", "ping", "ready", "status", "metrics", "batch", "notify",
    }
)  # fmt: skip
"""Last words of paths that are asked for as they are, without anything behind them."""


_OF_BODIES = frozenset(
    {
        "client_max_body_size", "client_body_buffer_size", "client_body_in_file_only", "client_body_temp_path",
        "client_body_timeout", "proxy_request_buffering", "proxy_method",
    }
)  # fmt: skip
"""Directives that a location for requests with bodies has: a client repeats such a request as a GET after a 301."""

_NOT_REDIRECTED = frozenset({"upgrade", "access-control-allow-methods"})


def proxied(ctx: CheckContext, protocol: str = "proxy") -> Iterator[Pass]:
    """Passes of http by one protocol."""
    return (each for each in ctx.model.passes if each.family == "http" and each.protocol == protocol)


def proxy_pass_slash_mismatch(ctx: CheckContext) -> Iterable[Hit]:
    """Location and URI part disagree about the slash at their end."""
    for each in proxied(ctx):
        location, path = each.location, each.path
        if location is None or path is None or each.runtime or each.scope is not location.directive:
            continue
        if not location.is_prefix or "?" in path or location.pattern.endswith("/") == path.endswith("/"):
            continue
        from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

        tail, uri = ("/x", f"{path}/x") if path.endswith("/") else ("x", f"{path}x")
        if path.endswith("/"):
            sent = f"{location.pattern}/x is sent as {path}/x, {location.pattern}../x as {path}../x"
        else:
            sent = f"{location.pattern}x is sent as {path}x"
        yield Hit(
            arg(each.directive, each.directive.args[0]),
            f"trailing slashes of location and proxy_pass differ: {sent}",
            each.directive,
            related=(("the location", name_of(location.directive)),),
            help="End both with a slash, or neither.",
            make_fix=partial(_matched, each, location, path, ctx.model),
            witness=detours.sent_as(ctx, each.directive, tail, uri),
        )


def _matched(each: Pass, location: Location, path: str, model: Model) -> Fix | None:
    """The slash that is missing, at the end of the location or of the URI that is sent.

    Not where the one path may be an endpoint without a slash, nor where the location keeps somebody out of what it takes.
    """
    if any(map(_is_endpoint, (location.pattern, path))) or keeps_out(location.directive):
        return None
    if not path.endswith("/"):
        if model.is_filled_in(each.directive) or not compiled(_DIRECTORY, re.DOTALL).fullmatch(path):
            return None
        edit = edits.behind_text(each.directive, each.directive.args[0], "/")
        return Fix("Add the trailing slash to the URI", Applicability.UNSAFE, (edit,))
    node = location.directive
    if not compiled(_DIRECTORY, re.DOTALL).fullmatch(location.pattern) or _is_named_elsewhere(location):
        return None
    if _breaks_when_redirected(each, model):
        return None
    return Fix(
        f"Add the trailing slash to the location (trade-off: {location.pattern} is answered with 301, "
        "after which clients send a POST as a GET)",
        Applicability.UNSAFE,
        (edits.behind_text(node, node.args[-1], "/"),),
    )


def _is_endpoint(path: str) -> bool:
    """Whether the last name of a path is one of an endpoint, or has a word of one in it: ``/v1/do-login``."""
    last = path.rstrip("/").rpartition("/")[2].lower()
    return not _ENDPOINTS.isdisjoint((last, *last.replace("_", "-").split("-")))


def _breaks_when_redirected(each: Pass, model: Model) -> bool:
    """Whether the location expects what a redirect breaks: bodies, handshakes of WebSocket, preflights of CORS."""
    headers = {
        str(node.args[0]).lower()
        for name in ("proxy_set_header", "add_header")
        for node in model.effective(each.scope, name)
        if node.args
    }
    return bool(headers & _NOT_REDIRECTED) or any(
        node.name in _OF_BODIES or any("$request_method" in token for token in node.args)
        for node in each.scope.walk()
    )


def _is_named_elsewhere(location: Location) -> bool:
    """Whether requests are sent to the very path of the location, or one below is looked for in it."""
    server, path = location.server, location.pattern
    if (
        server is None
        or location.children
        or any(each.pattern == f"{path}/" for each in server.all_locations())
    ):
        return True
    return any(
        token.partition("?")[0] == path
        for node in server.directive.walk()
        if node is not location.directive
        for token in node.args
    )


def proxy_pass_with_uri(ctx: CheckContext) -> Iterable[Hit]:
    """A URI part, which replaces what the location matched; asked for only."""
    for each in proxied(ctx):
        if each.path is not None and not each.runtime:
            yield Hit(
                arg(each.directive, each.directive.args[0]),
                f"proxy_pass URI {each.path} replaces the matched location prefix",
                each.directive,
                help="Remove the URI to send the path as the client wrote it.",
            )


def proxy_pass_variable_static_uri(ctx: CheckContext) -> Iterable[Hit]:
    """A variable in the host, a constant path: every request goes to that one path."""
    helpers = {
        str(node.args[0]).partition("?")[0]
        for name in ("auth_request", "mirror")
        for node in ctx.model.config.named(name)
        if node.args
    }
    for each in proxied(ctx):
        if each.target_kind != "variable":
            continue
        location = each.location
        if location is not None and (location.is_exact or location.directive.first("internal")):
            continue
        head, path = split_authority(each.text)
        if path is None or not path.startswith("/") or "$" in path or "$" not in head:
            continue
        if location is not None and (location.pattern in helpers or _is_one_path(location, path)):
            continue
        from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

        hit = Hit(
            arg(each.directive, each.directive.args[0]),
            f"proxy_pass with variables drops the request path: every request is sent to {path}",
            each.directive,
            help=f"Remove {path}, or append $request_uri to the host.",
            witness=detours.sent_to_one(ctx, each.directive, path),
        )
        yield unless(ctx.model.is_in_server, "only auth_request or mirror uses it", hit)


def _is_one_path(location: Location, path: str) -> bool:
    """Whether the written path is meant for everything that comes here.

    The expression ends with it, or it names a file: the script or page that answers all.
    """
    plain = path.rstrip("/")
    if location.is_regex and len(plain) > 1:
        end = location.pattern.removesuffix("$").removesuffix("?").removesuffix("/").replace("\\", "")
        if re.search(rf"(?:^|[^\w-]){re.escape(plain[1:])}$", end):
            return True
    return compiled(_FILE).search(path.partition("?")[0]) is not None


def set_headers(model: Model, scope: Directive, name: str = "proxy_set_header") -> dict[str, str]:
    """Headers set for a backend by lower-case name, the last one of equal names."""
    return {
        node.args[0].lower(): str(node.args[1]) for node in model.effective(scope, name) if len(node.args) > 1
    }


def speaks_10(model: Model, scope: Directive) -> bool:
    """Whether backends are spoken to in HTTP/1.0 from ``scope``."""
    written = model.value(scope, "proxy_http_version")
    if written is not None:
        return written == "1.0"
    return not model.target.since(KEEPALIVE_BY_DEFAULT)


def grpc_requires_http2(ctx: CheckContext) -> Iterable[Hit]:
    """Calls of gRPC behind sockets that do not speak HTTP/2."""
    for each in proxied(ctx, "grpc"):
        server = each.server
        if server is None or server.listen_unknown or not server.listens:
            continue
        if ctx.model.flag(server.directive, "http2", False) is not False:
            continue
        if ctx.model.may_be_set(server.directive, "http2"):
            continue
        sockets = ctx.model.sockets("http")
        members = [member for listen in server.listens for _, member in sockets[listen.key].members]
        if not any(listen.http2 or listen.quic for listen in members):
            yield Hit(
                whole(each.directive),
                "grpc_pass in a server without HTTP/2",
                each.directive,
                related=(("the server", name_of(server.directive)),),
                help="Add http2 on; to the server (listen … http2 before nginx 1.25.1).",
                make_fix=partial(_with_http2, server, ctx.model),
            )


def _with_http2(server: Server, model: Model) -> Fix | None:
    """``http2 on``; before nginx had that, the parameter of ``listen``, on the one socket for which it can be meant."""
    if model.effective(server.directive, "http2"):
        return None  # switched off on purpose
    lines = [
        each.directive for each in server.listens if each.directive is not None and each.transport == "tcp"
    ]
    secure = [each.directive for each in server.listens if each.directive is not None and each.ssl]
    if not lines:
        return None
    if model.target.since(HTTP2_DIRECTIVE):
        edit = put(server.directive, "http2", "http2 on;", beside=server.directive.named("listen")[-1])
        return Fix("Add http2 on", Applicability.UNSAFE, (edit,))
    chosen = list(dict.fromkeys(secure or lines))
    if len(chosen) > 1 and not secure:
        return None  # clients that speak HTTP/1.1 without TLS would be shut out
    made = tuple(edits.appended(node, "http2") for node in chosen)
    return Fix("Add http2", Applicability.UNSAFE, made)


def fastcgi_missing_script_filename(ctx: CheckContext) -> Iterable[Hit]:
    """PHP without the name of the script, or with two."""
    for each in proxied(ctx, "fastcgi"):
        pattern = each.location.pattern.lower() if each.location is not None else ""
        if "php" not in pattern and "php" not in each.text.lower():
            continue
        if ctx.model.may_be_set(each.scope, "fastcgi_param"):
            continue
        params = [node for node in ctx.model.effective(each.scope, "fastcgi_param") if node.args]
        names = [node for node in params if node.args[0] == "SCRIPT_FILENAME"]
        if not names:
            from nginxaudit.checks.headers import shortfalls  # only who has such a finding pays for it

            hit = Hit(
                whole(each.directive),
                "SCRIPT_FILENAME is not sent to PHP",
                each.directive,
                help="Add fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; (or include fastcgi.conf).",
                witness=shortfalls.without_parameter(ctx, each.directive, "SCRIPT_FILENAME"),
            )
            assumed = any(
                not node.source.path for node in params
            )  # images and packages add it to their own file
            yield unless(assumed, "the fastcgi_params of this nginx sets it", hit)
        elif len(names) > 1 and names[0].args[1:2] != names[1].args[1:2]:
            yield Hit(
                whole(names[1]),
                "SCRIPT_FILENAME is sent twice with different values",
                names[1],
                related=(("the other one", whole(names[0])),),
                severity=Severity.INFO,
                help="Remove one of the two.",
                why="FastCGI does not define which of two parameters with the same name counts.",
            )
