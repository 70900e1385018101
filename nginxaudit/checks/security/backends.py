"""Backends that clients choose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.model import Model, access
from nginxaudit.model.expressions import condition
from nginxaudit.model.names import ServerName
from nginxaudit.model.passes import Pass, split_authority
from nginxaudit.model.server import Server
from nginxaudit.model.taint import Origin, may_be_any_host
from nginxaudit.model.uses import turns_away
from nginxaudit.model.variables import references
from nginxaudit.nginx.patterns import compiled
from nginxaudit.pcre import Expression, parse

_TRIED = frozenset({"uri", "document_uri", "fastcgi_script_name", "request_filename"})
"""Variables with the path of the request: a file of this name is there when ``try_files`` has found it."""

_TLS_NAMES = frozenset({"ssl_preread_server_name", "ssl_server_name"})
_NAMED = r"\$\{?([A-Za-z0-9_]+)\}?(?::(?:\d+|\$server_port))?"
_ALL_NAMES = frozenset({"~.*", "~.", "~.+", "~^.*$", "~^(.*)$", "~^.+$", "~^(.+)$", "*"})
"""Keys of a map that admit any name."""
_DEPTH = 4  # maps one after the other


def ssrf(ctx: CheckContext) -> Iterable[Hit]:
    """A backend that the client chooses."""
    for each in ctx.model.passes:
        if each.target_kind != "variable" or each.family != "http" or not each.directive.args:
            continue
        if each.location is not None and (
            each.location.directive.first("internal") or each.location.is_named
        ):
            continue
        for origin, severity in _choices(ctx.model, each):
            if _is_bounded(ctx.model, each, origin):
                continue
            from nginxaudit.checks.security import lures  # only who has such a finding pays for it

            yield Hit(
                arg(each.directive, each.directive.args[0]),
                f"client-controlled {origin.variable} selects the backend (SSRF)",
                each.directive,
                severity=severity,
                help="Look up the backend in a map of allowed servers.",
                witness=lures.forged_backend(ctx, each.directive, origin),
            )
            break


def ssrf_by_tls_name(ctx: CheckContext) -> Iterable[Hit]:
    """The name in a TLS handshake, which the client writes, as the target of a stream: an open relay."""
    for each in ctx.model.passes:
        if each.family != "stream" or each.target_kind != "variable" or each.server is None:
            continue
        name = _whole_name(ctx.model, each.text, _DEPTH)
        if not name or not ctx.model.effective(each.scope, "resolver"):
            continue
        if access.rules(ctx.model, each.scope) or access.rules(ctx.model, each.server.directive):
            continue
        yield Hit(
            arg(each.directive, each.directive.args[0]),
            f"client-controlled ${name} selects the server (open relay)",
            each.directive,
            severity=Severity.WARNING,
            help="Look up the server in a map of allowed names.",
        )


def _whole_name(model: Model, text: str, depth: int) -> str:
    """The name of a TLS handshake that is all of the host in ``text``, if no map admits known names only."""
    found = compiled(_NAMED).fullmatch(text)
    if found is None or not depth:
        return ""
    name = found[1].lower()
    if name in _TLS_NAMES:
        return name
    for block in model.variable_definitions("stream").get(name, ()):
        lines = block.children if block.name == "map" else ()
        for line in lines:
            if line.args and (line.name == "default" or line.name in _ALL_NAMES):
                chosen = _whole_name(model, line.args[0], depth - 1)
                if chosen:
                    return chosen
    return ""


def _choices(model: Model, each: Pass) -> Iterator[tuple[Origin, Severity]]:
    """What clients write into the target, and how bad that is."""
    head, _ = split_authority(each.text)
    scheme, separator, host = head.partition("://")
    if not separator:
        scheme, host = "", head
    start = len(scheme) + len(separator)
    socket = host.lower().startswith("unix:")
    for origin in model.taint.origins(head, each.directive):
        if origin.slash or (origin.offset < start and separator and origin.kind != "free"):
            continue
        if socket and (origin.kind == "host" or not (origin.dot or origin.leads)):
            continue  # neither has a slash in it: no other directory
        severity = _choice(model, origin, host, origin.offset - start, each.server)
        if severity is not None:
            yield origin, severity


def _choice(model: Model, origin: Origin, host: str, offset: int, server: Server | None) -> Severity | None:
    """How much of the host a client chooses; None if it is little."""
    if not origin.anywhere or (origin.kind == "path" and origin.via == origin.variable):
        return None
    if origin.kind == "host":
        return host_choice(model, origin, server) if offset == 0 else None
    rest = host[offset:].partition("$")[2].lstrip("{").lstrip("abcdefghijklmnopqrstuvwxyz0123456789_}")
    # An argument, a cookie or a header may have a slash in it: what follows is a path then, and no domain.
    bound = rest.startswith(".") and not (origin.kind == "free" and origin.via == origin.variable)
    return Severity.WARNING if bound else Severity.ERROR


def host_choice(model: Model, origin: Origin, server: Server | None) -> Severity | None:
    """What the name of the request can be in a server.

    A server that is the default one of a socket gets requests for every name. In others it is one of
    its names; but ``$http_host`` may differ from the host in the request line, by which the server is chosen.
    """
    if server is None:
        return Severity.ERROR
    exact = all(name.kind == "exact" for name in server.names)
    sockets = model.sockets("http")
    is_default = server.listen_unknown or any(
        sockets[listen.key].default is server for listen in server.listens
    )
    if is_default or origin.variable != "$host":
        if exact and model.is_part("http") and origin.variable == "$host":
            return Severity.INFO  # which server is the default one is written elsewhere
        return Severity.WARNING if exact else Severity.ERROR
    if any(map(_takes_any_domain, server.names)):
        return Severity.ERROR
    return Severity.INFO if any(name.is_wildcard or name.kind == "regex" for name in server.names) else None


def _takes_any_domain(name: ServerName) -> bool:
    """Whether names of other domains fit."""
    if name.kind != "regex":
        return name.kind == "trailing"
    return _admits_any_host(parse(name.name, caseless=True))


def _admits_any_host(expression: Expression | None) -> bool:
    if expression is None or not (expression.starts_anchored and expression.ends_anchored):
        return True
    return may_be_any_host(expression, 0)


def _is_bounded(model: Model, each: Pass, origin: Origin) -> bool:
    """Whether something before the pass lets only some values through."""
    return _is_tried(each, origin) or _is_checked(each, origin)


def _is_tried(each: Pass, origin: Origin) -> bool:
    """``try_files $uri =404``: only paths of files that exist get to the pass."""
    if origin.variable[1:] not in _TRIED:
        return False
    files = each.scope.first("try_files")
    return files is not None and all(
        any(reference.name in _TRIED for reference in references(word)) for word in files.args[:-1]
    )


def _is_checked(each: Pass, origin: Origin) -> bool:
    """An ``if`` refuses every value but some: ``if ($arg_site !~ ^(a|b)\\.example\\.org$) { return 403; }``."""
    around = [block.directive for block in (each.location, each.server) if block is not None]
    for node in (found for block in dict.fromkeys([each.scope, *around]) for found in block.named("if")):
        asked = condition(node) if turns_away(node) else None
        if asked is None or not asked.negated or asked.left.lower() not in (origin.variable, origin.via):
            continue
        if asked.operator == "!=" and asked.right and "$" not in asked.right:
            return True
        if asked.is_match and not _admits_any_host(parse(asked.right, caseless=asked.operator.endswith("*"))):
            return True
    return False
