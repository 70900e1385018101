"""Redirects: where they lead, and whether they lead anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from msgspec import Struct

from nginxaudit import edits
from nginxaudit.finding import Witness
from nginxaudit.hit import CheckContext, Edits, Hit, arg, unless, whole
from nginxaudit.model.location import Location
from nginxaudit.model.regex import matches
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Socket
from nginxaudit.model.variables import references
from nginxaudit.nginx.names import REDIRECTS
from nginxaudit.pcre import parse
from nginxaudit.syntax.tree import Directive, Token

URL = r"(?i)(https?)://(\$\{?\w+\}?|[^/?#:$]+)(?::(\d+))?([/?$].*)?$"
_SAME_HOST = ("$host", "$http_host", "$server_name", "${host}", "${server_name}")
_SAME_PATH = ("$request_uri", "$uri", "${request_uri}", "$uri$is_args$args")
_BARE_HOST = r"(?i)(?:www\.[a-z0-9-]+\.|(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|info|edu|gov|eu)(?:/|$))"
_MAX_HOPS = 8
_Ports = Mapping[int | None, Sequence[Socket]]


class _Redirect(Struct, frozen=True):
    """A ``return`` that always answers its block with another URL."""

    node: Directive
    scheme: str
    host: str
    port: int
    path: str


def target_of(node: Directive) -> Token | None:
    """The URL of a ``return`` that redirects."""
    if len(node.args) == 2 and node.args[0] in REDIRECTS:
        return node.args[1]
    return node.args[0] if len(node.args) == 1 and not node.args[0].isdigit() else None


def _redirect(block: Directive) -> _Redirect | None:
    """The unconditional redirect of a block; None with anything before it that may decide otherwise."""
    for child in block.children:
        if child.name in ("if", "rewrite", "break") or "_by_" in child.name:
            return None
        if child.name == "return":
            url = target_of(child)
            found = re.match(URL, url) if url is not None else None
            if found is None:
                return None
            scheme = found[1].lower()
            port = int(found[3]) if found[3] else 443 if scheme == "https" else 80
            return _Redirect(child, scheme, found[2].lower(), port, found[4] or "/")
    return None


def redirect_loop(ctx: CheckContext) -> Iterable[Hit]:
    """A redirect that leads back to itself, at once or by way of other servers."""
    reported: set[Server] = set()
    by_port: dict[int | None, list[Socket]] = {}
    for socket in ctx.model.sockets("http").values():
        by_port.setdefault(socket.key.port, []).append(socket)
    for server in ctx.model.servers("http"):
        if server.listen_unknown or ctx.model.unknown_inside(server.directive, direct=True):
            continue
        chain = _chain(by_port, server)
        if chain and not reported.intersection(each for each, _ in chain):
            reported.update(each for each, _ in chain)
            yield _loop(ctx, chain[0][1], [redirect for _, redirect in chain[1:]])
        for location in server.locations:
            redirect = _redirect(location.directive)
            if redirect is not None and _comes_back(by_port, server, location, redirect):
                yield _loop(ctx, redirect, [])


def _loop(ctx: CheckContext, redirect: _Redirect, others: list[_Redirect]) -> Hit:
    from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

    return Hit(
        whole(redirect.node),
        "redirect loop: the target leads back to this redirect"
        + (" through another server" if others else ""),
        redirect.node,
        related=tuple(("redirects back", whole(each.node)) for each in others),
        help="Redirect only in the server of the other scheme or name.",
        witness=detours.looping(ctx, redirect.node.parent) if redirect.node.parent is not None else None,
    )


def _chain(by_port: _Ports, start: Server) -> list[tuple[Server, _Redirect]]:
    """Servers through which a request to ``start`` is sent until it is back; empty if it does not come back."""
    chain: list[tuple[Server, _Redirect]] = []
    server: Server | None = start
    while server is not None and len(chain) < _MAX_HOPS:
        redirect = _redirect(server.directive)
        if redirect is None or (server is not start and any(server is each for each, _ in chain)):
            return []
        chain.append((server, redirect))
        server = _next(by_port, server, redirect)
        if server is start:
            return chain
    return []


def _next(by_port: _Ports, server: Server, redirect: _Redirect) -> Server | None:
    """The server of this configuration that surely gets the redirected request."""
    tls = redirect.scheme == "https"
    for socket in by_port.get(redirect.port, ()):
        if socket.ssl is not tls or socket.key.transport != "tcp":
            continue
        if any(listen.proxy_protocol for _, listen in socket.members):
            continue  # somebody before this nginx decides what the client sees
        if redirect.host in _SAME_HOST:
            if server in socket.servers:
                return server
        elif "$" not in redirect.host:
            choice = socket.choose(redirect.host)
            if choice.certain and choice.name is not None:
                return choice.server
    return None


def _comes_back(by_port: _Ports, server: Server, location: Location, redirect: _Redirect) -> bool:
    """Whether the redirect of a location leads to the same location again."""
    if _redirect(server.directive) is not None or _next(by_port, server, redirect) is not server:
        return False
    if redirect.path in _SAME_PATH:
        return True
    if "$" in redirect.path:
        return False
    found = server.match(redirect.path.partition("?")[0])
    return found.certain and found.location is location


def redirect_without_target(ctx: CheckContext) -> Iterable[Hit]:
    """``return 301;``: a redirect with an empty Location header."""
    for node in ctx.model.config.named("return"):
        if len(node.args) == 1 and node.args[0] in REDIRECTS and ctx.model.family_of(node) == "http":
            pages = ctx.model.effective(node, "error_page")
            if any(node.args[0] in page.args for page in pages):
                continue
            from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

            hit = Hit(
                whole(node),
                f"return {node.args[0]} without a URL: the Location header of the response is empty",
                node,
                help="Add the URL, or use another status.",
                witness=detours.without_location(ctx, node),
            )
            assumed = ctx.model.is_in_server and ctx.model.may_be_set(node, "error_page")
            yield unless(assumed, "error_page of the server handles it", hit)


def rewrite_missing_scheme(ctx: CheckContext) -> Iterable[Hit]:
    """A host as the target of a redirect, without ``https://``: it is taken for a path."""
    for name in ("return", "rewrite"):
        for node in ctx.model.config.named(name):
            token = target_of(node) if name == "return" else (node.args[1] if len(node.args) > 1 else None)
            if token is not None and re.match(_BARE_HOST, token):
                yield Hit(
                    arg(node, token),
                    f'"{token}" lacks the scheme: nginx treats it as a path',
                    node,
                    help=f"Write https://{token}",
                    make_fix=partial(_with_scheme, node, token),
                    witness=_stays(ctx, node, token),
                )
            elif token is not None and _is_torn(ctx, node, token):
                yield Hit(
                    arg(node, token),
                    f'"{token}" is treated as a path: nginx prepends its own scheme and host',
                    node,
                    help=f"Write $scheme:{token}, or absolute_redirect off;",
                    make_fix=partial(_with_scheme, node, token),
                    witness=_stays(ctx, node, token),
                )


def _stays(ctx: CheckContext, node: Directive, token: Token) -> Witness | None:
    from nginxaudit.checks.routing.detours import stays_here  # only who has such a finding pays for it

    return stays_here(ctx, node, str(token))


def _with_scheme(node: Directive, token: Token) -> Edits:
    """``https://`` before the host of a redirect, ``$scheme:`` before one that begins with slashes."""
    return (edits.before_text(node, token, "$scheme:" if token.startswith("//") else "https://"),)


def _is_torn(ctx: CheckContext, node: Directive, token: Token) -> bool:
    """Whether a target ``//host`` of a redirect is made absolute as if it were a path."""
    redirects = node.name == "return" and node.args[0] in REDIRECTS
    return (
        redirects
        and re.match(r"//[\w-]+\.[\w.-]+", token) is not None
        and ctx.model.flag(node, "absolute_redirect", True) is True
    )


def rewrite_loop(ctx: CheckContext) -> Iterable[Hit]:
    """A rewrite whose result gets to the same rewrite again: 500 after ten rounds."""
    for node in ctx.model.config.named("rewrite"):
        location = ctx.model.location_of(node)
        if (
            location is None
            or node.parent is not location.directive
            or len(node.args) < 2
            or location.is_named
        ):
            continue
        if node.args[2:] and node.args[2] != "last":
            continue
        if not node.args[2:] and node.parent.named("rewrite")[-1] is not node:
            continue
        if _may_stop(node) or not _returns(location, node):
            continue
        from nginxaudit.checks.routing import detours  # only who has such a finding pays for it

        hit = Hit(
            whole(node),
            "rewrite loop: the result matches the same location and regex again",
            node,
            help="Use break instead of last, or change the regex so that it does not match the result.",
            witness=detours.fails(ctx, node),
        )
        yield unless(ctx.model.is_in_server, "another location handles it", hit)


def _may_stop(node: Directive) -> bool:
    """Something in the block may end the processing instead."""
    block = node.parent
    return block is None or any(
        child.name in ("if", "break", "return") or "_by_" in child.name for child in block.children
    )


def _returns(location: Location, node: Directive) -> bool:
    """Whether what the rewrite makes surely gets to the same rewrite."""
    target = str(node.args[1]).partition("?")[0]
    if not target.startswith("/") or location.server is None:
        return False
    expression = parse(node.args[0])
    if expression is None:
        return False
    beginning = target.partition("$")[0]
    if "$" not in target:
        found = location.server.match(target)
        return matches(str(node.args[0]), target) is True and found.certain and found.location is location
    if expression.covered is None or not beginning.startswith(expression.covered) or not location.is_prefix:
        return False
    others = [each for each in location.server.locations if each is not location]
    return beginning.startswith(location.pattern) and not any(
        each.is_regex or each.pattern.startswith(location.pattern) for each in others
    )


def as_return(pattern: str, target: str) -> str | None:
    """The URL for ``return``; None where it would not be the same."""
    if target.endswith("$request_uri?"):
        return target[:-1]
    numbers = [each for each in references(target) if each.name.isdigit()]
    if not numbers:
        # Arguments are appended unless a question mark ends the target.
        return target[:-1] if target.endswith("?") else None
    slash = pattern.startswith("^/")
    if len(numbers) == 1 and target.endswith("/$1" if slash else "$1") and "(" in pattern:
        return target[: -len("/$1" if slash else "$1")] + "$request_uri"
    return None
