"""What clients write, in places where it decides: headers, redirects, backends, limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, partial

from nginxaudit import edits
from nginxaudit.checks.hosts import told_host
from nginxaudit.checks.routing.redirects import target_of
from nginxaudit.finding import Applicability, Fix, Severity
from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.model import Model
from nginxaudit.model.server import Server
from nginxaudit.model.taint import Origin
from nginxaudit.model.variables import references
from nginxaudit.nginx.names import ABSOLUTE, REDIRECTS
from nginxaudit.syntax.tree import Directive, Token

_CLIENTS_HOST = r"(?i)\$\{?http_(?:x_forwarded_)?host\}?"
_HOST_HEADERS = ("host", "x-forwarded-host", ":authority")


def _redirects(ctx: CheckContext) -> Iterator[tuple[Directive, Token]]:
    """Redirecting directives with their URLs."""
    for node in ctx.model.config.named("return"):
        token = target_of(node)
        if token is not None and (len(node.args) == 2 or token.startswith(ABSOLUTE)):
            yield node, token
    for node in ctx.model.config.named("rewrite"):
        if len(node.args) > 1 and (
            node.args[1].lower().startswith(ABSOLUTE) or node.args[2:] in (["redirect"], ["permanent"])
        ):
            yield node, node.args[1]


def _answered(ctx: CheckContext) -> Iterator[tuple[Directive, Token]]:
    """Other texts that end up in headers of the response."""
    for node in ctx.model.config.named("error_page"):
        if len(node.args) > 1 and node.args[-1].lower().startswith((*ABSOLUTE, "${scheme}")):
            yield node, node.args[-1]
    for node in ctx.model.config.named("auth_basic"):
        for token in node.args[:1]:
            yield node, token
    for name in ("proxy_cookie_path", "proxy_cookie_domain", "proxy_redirect"):
        for node in ctx.model.config.named(name):
            for token in node.args[1:2]:
                yield node, token


def _split_places(ctx: CheckContext) -> Iterator[tuple[Directive, Token, bool]]:
    """Texts that become a line of a header, and whether the line goes to a client."""
    for node, token in _redirects(ctx):
        yield node, token, True
    for name in ("add_header", "add_trailer"):
        for node in ctx.model.config.named(name):
            for token in node.args[1:2]:
                yield node, token, True
    yield from ((node, token, True) for node, token in _answered(ctx))
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
    """A newline of a decoded path in a header: the client injects headers."""
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
            from nginxaudit.checks.security import lures  # only who has such a finding pays for it

            came = f"{origin.via} can contain a newline" + (
                f" (from {origin.variable})" if origin.via != origin.variable else ""
            )
            yield Hit(
                arg(node, token),
                f"{came}: %0A in the path injects headers into the {'response' if to_client else 'backend request'}",
                node,
                severity=None if to_client else Severity.WARNING,
                help="Use $request_uri, which stays encoded, or exclude newlines in the regex.",
                witness=lures.split(ctx, node),
                make_fix=partial(_without_newline, node, token, ctx.model),
            )
            break


def _without_newline(node: Directive, token: Token, model: Model) -> Fix | None:
    from nginxaudit.checks.security.newlines import without_newline  # only who has such a finding pays for it

    return without_newline(node, token, model)


def open_redirect(ctx: CheckContext) -> Iterable[Hit]:
    """A redirect to wherever the client says."""
    for node, token in _redirects(ctx):
        if len(node.args) == 2 and node.name == "return" and node.args[0] not in REDIRECTS:
            continue
        _, separator, rest = token.partition("://")
        for origin in ctx.model.taint.origins(rest if separator else token, node):
            from nginxaudit.checks.security import lures  # only who has such a finding pays for it

            if _leads_anywhere(origin, bool(separator)) or (
                not separator and _makes_two_slashes(ctx.model, node, token, origin)
            ):
                yield Hit(
                    arg(node, token),
                    f"open redirect: client-controlled {origin.variable} selects the target host",
                    node,
                    help="Redirect to a fixed host, or look up the target in a map of allowed ones.",
                    witness=lures.lured(ctx, node, origin),
                )
                break
            if not separator or not _joins_host(rest, origin):
                continue
            if (witness := lures.lured(ctx, node, origin, behind_host=True)) is not None:
                yield Hit(
                    arg(node, token),
                    f"open redirect: no slash separates the host from {origin.via}, so the path can change the host",
                    node,
                    help="Add a slash between the host and the variable.",
                    witness=witness,
                )
                break


def _joins_host(rest: str, origin: Origin) -> bool:
    """Whether what a client writes continues the host of a URL, or is all of it, and nothing follows."""
    if origin.kind != "path" or origin.via == origin.variable or origin.slash or not origin.dot:
        return False
    before = rest[: origin.offset]
    reference = next((each for each in references(rest) if each.start == origin.offset), None)
    after = rest[reference.end :] if reference is not None else ""
    return not any(char in before for char in "/?#$") and after[:1] in ("", "/", "?", "$")


def _leads_anywhere(origin: Origin, behind_scheme: bool) -> bool:
    """Whether what a client writes begins the URL, or the host after its scheme."""
    if origin.offset != 0:
        return False
    if origin.kind == "free" and origin.variable != "$http_host":
        return True
    return (
        origin.kind == "path"
        and not behind_scheme
        and not origin.slash
        and origin.via != origin.variable
        and origin.dot
    )


def _makes_two_slashes(model: Model, node: Directive, token: Token, origin: Origin) -> bool:
    """Whether the target can be ``//host``, and is sent unchanged.

    nginx puts its own scheme and host before a target with a slash at its beginning, also before two of them, unless
    ``absolute_redirect`` is off (``ngx_http_header_filter``).
    """
    if model.flag(node, "absolute_redirect", True) is not False or not origin.dot:
        return False
    if origin.kind == "path":
        # nginx has merged the slashes of a decoded path.
        if not origin.raw and model.flag(node, "merge_slashes", True) is not False:
            return False
        alone = origin.offset == 0 and origin.slash and origin.via != origin.variable
    else:
        alone = False
    before = token[: origin.offset]
    joined = before == "/" and origin.leads and (origin.kind == "free" or origin.via != origin.variable)
    return alone or joined or (before == "//" and origin.kind == "free")


def host_header_spoofing(ctx: CheckContext) -> Iterable[Hit]:
    """A host that the client chooses, sent to the backend."""
    for name in ("proxy_set_header", "grpc_set_header"):
        for node in ctx.model.config.named(name):
            if len(node.args) < 2 or node.args[1] == "$host" or node.args[0].lower() not in _HOST_HEADERS:
                continue
            for origin in ctx.model.taint.origins(node.args[1], node):
                if origin.kind != "free" and origin.variable != "$http_host":
                    continue
                from nginxaudit.checks.security import lures  # only who has such a finding pays for it

                server = ctx.model.server_of(node)
                bound = server is not None and all(each.kind == "exact" for each in server.names)
                yield Hit(
                    arg(node, node.args[1]),
                    f"the backend receives a client-controlled host ({origin.variable})",
                    node,
                    severity=Severity.INFO if bound and origin.variable == "$http_host" else None,
                    help="Use $host ($host:$server_port if the port matters), and add a default server that rejects unknown names.",
                    make_fix=partial(_checked_host, node, node.args[1], server),
                    cause=ctx.cause(origin.variable),
                    witness=lures.forged_host(ctx, node, origin),
                )
                break


def _checked_host(node: Directive, token: Token, server: Server | None) -> Fix | None:
    """``$host``, where the value is the host of the client and nothing else."""
    if re.fullmatch(_CLIENTS_HOST, token) is None:
        return None
    host = told_host(server)
    title = f"Use {host}" + (" (the port that nginx listens on)" if host != "$host" else " (without a port)")
    return Fix(title, Applicability.UNSAFE, (edits.exchanged(node, token, host),))
