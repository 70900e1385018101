"""What clients write, in places where it decides: headers, redirects, backends, limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from nginxaudit.checks.routing.redirects import CODES, target_of
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.model.location import Location
from nginxaudit.model.passes import split_authority
from nginxaudit.model.server import Server
from nginxaudit.model.taint import Origin
from nginxaudit.model.variables import references
from nginxaudit.syntax.tree import Directive, Token

_URL_STARTS = ("http://", "https://", "$scheme")
_KEYS = ("api_key", "apikey", "authorization", "x_api", "token")
_HOST_HEADERS = ("host", "x-forwarded-host", ":authority")
_ORIGINS = ("$http_origin", "$http_referer", "$http_referrer")


def _redirects(ctx: CheckContext) -> Iterator[tuple[Directive, Token]]:
    """Redirecting directives with their URLs."""
    for node in ctx.model.config.named("return"):
        token = target_of(node)
        if token is not None and (len(node.args) == 2 or token.startswith(_URL_STARTS)):
            yield node, token
    for node in ctx.model.config.named("rewrite"):
        if len(node.args) > 1 and (
            node.args[1].lower().startswith(_URL_STARTS) or node.args[2:] in (["redirect"], ["permanent"])
        ):
            yield node, node.args[1]


def _split_places(ctx: CheckContext) -> Iterator[tuple[Directive, Token, bool]]:
    """Texts that become a line of a header, and whether the line goes to a client."""
    for node, token in _redirects(ctx):
        yield node, token, True
    for name in ("add_header", "add_trailer"):
        for node in ctx.model.config.named(name):
            for token in node.args[1:2]:
                yield node, token, True
    for name in ("proxy_set_header", "grpc_set_header", "proxy_pass"):
        for node in ctx.model.config.named(name):
            for token in node.args[1:2] if name != "proxy_pass" else node.args[:1]:
                yield node, token, False


def _with_newlines(ctx: CheckContext) -> set[str]:
    """Variables that may hold a newline of a client's, by lower-case name: decoded paths, and what is made of them."""
    config = ctx.model.config
    names = ["uri", "document_uri"]
    names += [node.args[0][1:] for node in config.named("set") if node.args]
    names += [block.args[1][1:] for block in config.named("map") if len(block.args) > 1]
    for expression in {written.expression for written in ctx.model.expressions}:
        if expression is not None:
            groups = (*expression.names, *range(expression.groups + 1))
            names += [str(group) for group in groups if expression.group_may_contain(group, "\n")]
    return set(map(str.lower, names))


def http_splitting(ctx: CheckContext) -> Iterable[Hit]:
    """A newline of a decoded path in a header: the client writes headers of its own."""
    suspects = _with_newlines(ctx)

    @cache
    def is_suspect(text: str) -> bool:
        return any(each.name in suspects for each in references(text))

    for node, token, to_client in _split_places(ctx):
        if "$" not in token or not is_suspect(token) or ctx.model.family_of(node) != "http":
            continue
        for origin in ctx.model.taint.origins(token, node):
            if not origin.newline or (node.name == "rewrite" and origin.via[1:].isdigit()):
                continue  # captures are escaped in what a rewrite makes
            came = f"{origin.via} may contain a newline" + (
                f" (from {origin.variable})" if origin.via != origin.variable else ""
            )
            yield Hit(
                arg(node, token),
                f"{came}: with %0A in the path a client adds headers to {'the response' if to_client else 'what the backend gets'}",
                node,
                severity=None if to_client else Severity.WARNING,
                help="Use $request_uri, which is as the client wrote it, or let the expression exclude newlines.",
            )
            break


def open_redirect(ctx: CheckContext) -> Iterable[Hit]:
    """A redirect to wherever the client says."""
    for node, token in _redirects(ctx):
        if len(node.args) == 2 and node.name == "return" and node.args[0] not in CODES:
            continue
        _, separator, rest = token.partition("://")
        head = rest if separator else token
        for origin in ctx.model.taint.origins(head, node):
            if origin.offset != 0:
                continue  # something stands before it
            chosen = origin.kind == "free" and origin.variable != "$http_host"
            relative = (
                origin.kind == "path" and not separator and not origin.slash and origin.via != origin.variable
            )
            doubled = (
                origin.kind == "path"
                and not separator
                and origin.raw
                and origin.slash
                and origin.via != origin.variable
            )
            if chosen or (relative and origin.dot) or doubled:
                yield Hit(
                    arg(node, token),
                    f"{origin.variable} decides where this redirect leads: a link to this site takes visitors to any other",
                    node,
                    help="Redirect to a fixed host, or take the target from a map of those that are allowed.",
                )
                break


def ssrf(ctx: CheckContext) -> Iterable[Hit]:
    """A backend that the client chooses."""
    for each in ctx.model.passes:
        if each.target_kind != "variable" or each.family != "http" or not each.directive.args:
            continue
        if each.location is not None and (
            each.location.directive.first("internal") or each.location.is_named
        ):
            continue
        head, _ = split_authority(each.text)
        scheme, separator, host = head.partition("://")
        start = len(scheme) + len(separator) if separator else 0
        for origin in ctx.model.taint.origins(head, each.directive):
            if origin.slash or (origin.offset < start and separator and origin.kind != "free"):
                continue
            severity = _choice(origin, host if separator else head, origin.offset - start, each.server)
            if severity is None:
                continue
            yield Hit(
                arg(each.directive, each.directive.args[0]),
                f"{origin.variable} decides which server gets the request: clients reach any address that this nginx reaches",
                each.directive,
                severity=severity,
                help="Take the server from a map of those that are allowed.",
            )
            break


def _choice(origin: Origin, host: str, offset: int, server: Server | None) -> Severity | None:
    """How much of the host a client chooses; None if it is little."""
    if origin.kind == "host":
        open_names = server is None or any(
            name.kind in ("empty", "regex", "catch-all") or name.is_wildcard for name in server.names
        )
        return Severity.ERROR if open_names and offset == 0 else Severity.INFO if offset == 0 else None
    if origin.kind == "path" and not origin.dot:
        return None
    if origin.kind == "path" and origin.via == origin.variable:
        return None
    rest = host[offset:].partition("$")[2].lstrip("{").lstrip("abcdefghijklmnopqrstuvwxyz0123456789_}")
    return Severity.WARNING if rest.startswith(".") else Severity.ERROR


def host_header_spoofing(ctx: CheckContext) -> Iterable[Hit]:
    """A host that the client chooses, told to the backend."""
    for name in ("proxy_set_header", "grpc_set_header"):
        for node in ctx.model.config.named(name):
            if len(node.args) < 2 or node.args[1] == "$host" or node.args[0].lower() not in _HOST_HEADERS:
                continue
            for origin in ctx.model.taint.origins(node.args[1], node):
                if origin.kind != "free" and origin.variable != "$http_host":
                    continue
                server = ctx.model.server_of(node)
                bound = server is not None and all(each.kind == "exact" for each in server.names)
                yield Hit(
                    arg(node, node.args[1]),
                    f"clients choose the host that the backend gets ({origin.variable}): links, mails and caches of the application carry it on",
                    node,
                    severity=Severity.INFO if bound and origin.variable == "$http_host" else None,
                    help="Use $host, which is checked, and $host:$server_port where the port matters.",
                )
                break


def cors_origin_reflection(ctx: CheckContext) -> Iterable[Hit]:
    """Every origin is answered as an allowed one."""
    for node in ctx.model.config.named("add_header"):
        if len(node.args) < 2 or node.args[0].lower() != "access-control-allow-origin" or node.parent is None:
            continue
        origins = ctx.model.taint.origins(node.args[1], node)
        if not any(origin.variable == "$http_origin" for origin in origins) or not _unchecked(ctx, node):
            continue
        credentials = any(
            each.args[0].lower() == "access-control-allow-credentials" and each.args[1].lower() == "true"
            for each in ctx.model.effective(node.parent, "add_header")
            if len(each.args) > 1
        )
        yield Hit(
            arg(node, node.args[1]),
            "every site may read this"
            + (
                ", with the cookies of the visitor"
                if credentials
                else ": the origin is sent back whatever it is"
            ),
            node,
            severity=Severity.ERROR if credentials else Severity.INFO,
            help="Take the origin from a map whose keys are the allowed ones and whose default is empty.",
        )


def _unchecked(ctx: CheckContext, node: Directive) -> bool:
    """The origin gets here without a comparison: directly, by ``set``, or as the default of a map."""
    block = node.parent
    if block is not None and block.name == "if":
        return not any("$http_origin" in token.lower() for token in block.args)
    for reference in references(node.args[1]):
        if reference.name == "http_origin":
            return True
        for definition in ctx.model.variable_definitions("http").get(reference.name, ()):
            if definition.name == "set" and "$http_origin" in definition.args[1].lower():
                return definition.parent is None or definition.parent.name != "if"
            if definition.name == "map":
                return any(
                    "$http_origin" in token.lower()
                    for line in definition.named("default")
                    for token in line.args
                )
    return False


def weak_origin_check(ctx: CheckContext) -> Iterable[Hit]:
    """Expressions over Origin and Referer that other sites match, too."""
    for written in ctx.model.expressions:
        subject = written.subject.lower().replace("{", "").replace("}", "")
        expression = written.expression
        if (
            written.kind not in ("if", "map")
            or subject not in _ORIGINS
            or expression is None
            or not expression.exact
        ):
            continue
        if expression.matches_every_path:
            continue
        if subject == "$http_referrer":
            problem = "no client sends this header: it is spelt Referer"
        elif not expression.starts_anchored and "." in expression.text:
            problem = "without ^ a site such as https://evil.test/?x=… or notexample.com matches, too"
        elif subject == "$http_origin" and not expression.ends_anchored and "." in expression.text:
            problem = "without $ an origin such as https://example.com.evil.test matches, too"
        else:
            continue
        yield Hit(
            arg(written.directive, written.token),
            problem,
            written.directive,
            help="Write ^https://example\\.com$ with all dots escaped.",
        )


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
            yield Hit(
                arg(each.directive, each.directive.args[0]),
                f"{origin.via} is decoded: %3F, %23 and %2F of the client arrive as ?, # and /",
                each.directive,
                help="Use $request_uri, or no variable at all, so that nginx escapes the path.",
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


def rate_limit_key_spoofable(ctx: CheckContext) -> Iterable[Hit]:
    """A limit per something that clients make up anew for every request."""
    for name in ("limit_req_zone", "limit_conn_zone"):
        for node in ctx.model.config.named(name):
            if not node.args or ctx.model.family_of(node) != "http":
                continue
            key = node.args[0]
            names = {reference.name for reference in references(key)}
            if names & {"binary_remote_addr", "remote_addr", "remote_user", "jwt_claim_sub"}:
                continue
            origin = next(
                (
                    each
                    for each in ctx.model.taint.origins(key, node)
                    if each.kind == "free" and not any(word in each.variable for word in _KEYS)
                ),
                None,
            )
            if origin is not None:
                yield Hit(
                    arg(node, key),
                    f"clients choose {origin.variable}: with another value in every request nobody reaches the limit",
                    node,
                    help="Use $binary_remote_addr, with set_real_ip_from where a proxy stands before nginx.",
                )


def cache_key_missing_host(ctx: CheckContext) -> Iterable[Hit]:
    """One cache for several sites, whose key does not tell them apart."""
    zones: dict[str, list[tuple[Directive, Server]]] = {}
    for each in ctx.model.passes:
        if each.server is None or each.protocol not in ("proxy", "fastcgi", "uwsgi", "scgi"):
            continue
        zone = ctx.model.value(each.scope, f"{each.protocol}_cache")
        if zone is not None and zone != "off" and "$" not in zone:
            zones.setdefault(f"{each.protocol} {zone}", []).append((each.scope, each.server))
    told: set[Directive] = set()
    for label, uses in zones.items():
        protocol = label.partition(" ")[0]
        if len({server for _, server in uses}) < 2 and all(len(server.names) < 2 for _, server in uses):
            continue
        for scope, _ in uses:
            key = next(iter(ctx.model.effective(scope, f"{protocol}_cache_key")), None)
            if key is None or not key.args or key in told or _tells_host(key.args[0]):
                continue
            told.add(key)
            yield Hit(
                whole(key),
                "the key does not contain the host: a page of one site is served for another one",
                key,
                related=(("the cache is used here", whole(scope)),),
                help="Put $scheme$host before $request_uri in the key.",
            )


def _tells_host(key: str) -> bool:
    names = {reference.name for reference in references(key)}
    plain = {
        "scheme",
        "request_uri",
        "uri",
        "document_uri",
        "args",
        "is_args",
        "query_string",
        "request_method",
        "http_range",
        "slice_range",
    }
    # A variable of one's own may contain the host.
    return bool(names & {"host", "http_host", "server_name", "proxy_host"}) or not names <= plain
