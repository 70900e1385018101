"""What the headers of responses say: obsolete, doubled, contradictory, too weak."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nginxaudit.checks.headers.inheritance import SECURITY
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, arg, listed, name_of, whole
from nginxaudit.model.server import Server
from nginxaudit.syntax.tree import Directive

_HSTS = "strict-transport-security"
_SINGLE = frozenset({_HSTS, "x-frame-options", "x-content-type-options", "referrer-policy", "content-type"})
_HALF_YEAR, _YEAR = 15_768_000, 31_536_000  # seconds
_MAX_AGE = r"(?i)max-age\s*=\s*\"?(\d+)"
_INTERNAL = (".local", ".localhost", ".internal", ".test", ".lan", ".home.arpa")
_SENDING = ("add_header", "more_set_headers", "security_headers")
_OBSOLETE = {
    "expect-ct": "browsers no longer read it",
    "public-key-pins": "browsers no longer read it, and a mistake in it locked sites out",
    "p3p": "nothing reads it any more",
}


def _added(ctx: CheckContext, *headers: str) -> Iterator[Directive]:
    return (
        node
        for node in ctx.model.config.named("add_header")
        if len(node.args) > 1 and (not headers or node.args[0].lower() in headers)
    )


def header_missing_always(ctx: CheckContext) -> Iterable[Hit]:
    """Headers that protect, and are left out of error pages; once per block."""
    blocks: dict[Directive | None, list[Directive]] = {}
    for node in _added(ctx):
        if node.args[0].lower() in SECURITY and node.args[2:] != ["always"] and "$" not in node.args[0]:
            blocks.setdefault(node.parent, []).append(node)
    for nodes in blocks.values():
        names = listed(list(dict.fromkeys(str(node.args[0]) for node in nodes)))
        yield Hit(
            whole(nodes[0]),
            f"{names}: not sent with error pages, which lack the word always",
            nodes[0],
            related=tuple(("neither is this one", whole(node)) for node in nodes[1:5]),
            help="Add always behind the value.",
        )


def duplicate_header(ctx: CheckContext) -> Iterable[Hit]:
    """A header that one block sets twice."""
    for name in ("add_header", "proxy_set_header", "grpc_set_header"):
        for block in dict.fromkeys(node.parent for node in ctx.model.config.named(name)):
            seen: dict[str, Directive] = {}
            for node in block.named(name) if block is not None else ():
                header = node.args[0].lower() if len(node.args) > 1 else ""
                if not header or (name == "add_header" and header not in _SINGLE):
                    continue
                first = seen.setdefault(header, node)
                if first is not node and not (node.args[1] == "" and name != "add_header"):
                    yield Hit(
                        whole(node),
                        f"{node.args[0]} is set above, too: {_consequence(ctx, name, header)}",
                        node,
                        related=(("the other one", whole(first)),),
                        help="Keep one of them.",
                    )


def _consequence(ctx: CheckContext, name: str, header: str) -> str:
    if name == "add_header":
        return "the response has it twice, and clients take one of them, or none"
    if header == "host":
        return (
            "only the last one is sent"
            if ctx.target.version >= (1, 31, 4)
            else "backends answer two Host headers with 400"
        )
    return "the backend gets both"


def obsolete_security_header(ctx: CheckContext) -> Iterable[Hit]:
    """Headers that do nothing, harm, or are misspelt."""
    for node in _added(ctx):
        header, value = node.args[0].lower(), node.args[1].strip().lower()
        reason = _OBSOLETE.get(header, "")
        if header == "x-xss-protection" and value.startswith("1"):
            reason = "the filter is gone from browsers, and in old ones it could be turned against the page"
        elif header == "x-frame-options" and value.startswith("allow-from"):
            reason = "browsers ignore ALLOW-FROM, and with it the whole header"
        elif not reason and header not in SECURITY:
            meant = meant_header(header)
            reason = f"misspelt, browsers know {meant}" if meant else ""
        if reason:
            yield Hit(
                arg(node, node.args[0]),
                f"{node.args[0]} protects nothing: {reason}",
                node,
                help="Delete it; Content-Security-Policy does what it was for."
                if "misspelt" not in reason
                else "Correct the name.",
            )


def meant_header(name: str) -> str:
    """The header that protects and is called almost like ``name``; empty if there is none."""
    from difflib import get_close_matches  # only who has unknown headers pays for it

    return next(iter(get_close_matches(name, SECURITY, n=1, cutoff=0.93)), "")


def cache_control_conflict(ctx: CheckContext) -> Iterable[Hit]:
    """``expires`` and a Cache-Control of one block that say the opposite."""
    for node in _added(ctx, "cache-control"):
        expires = node.parent.first("expires") if node.parent is not None else None
        if expires is None or not expires.args:
            continue
        time, value = expires.args[-1].lower(), node.args[1].lower()
        forbids = "no-store" in value or "no-cache" in value or "max-age=0" in value
        allows = re.search(r"max-age=[1-9]", value) is not None or "public" in value
        never = time.startswith("-") or time in ("epoch", "0")
        if (forbids and not never and time not in ("off", "0") and "$" not in time) or (allows and never):
            yield Hit(
                whole(node),
                f'two Cache-Control headers that contradict each other: "{node.args[1]}", and what expires {time} says',
                node,
                related=(("expires adds the other one", whole(expires)),),
                help="Keep one of the two.",
            )


def _tls_servers(ctx: CheckContext) -> list[Server]:
    """Servers that answer names over TLS."""
    return [
        server
        for server in ctx.model.servers("http")
        if any(listen.ssl or listen.quic for listen in server.listens)
        and not ctx.model.flag(server.directive, "ssl_reject_handshake", False)
        and not ctx.model.unknown_inside(server.directive)
        and any(
            name.kind not in ("empty", "catch-all") and "." in name.name and not name.name.endswith(_INTERNAL)
            for name in server.names
        )
    ]


def _sends(ctx: CheckContext, server: Server, header: str) -> bool:
    """Whether some level of the server adds the header."""
    blocks = [server.directive, *(location.directive for location in server.all_locations())]
    for block in blocks:
        names = (node.args[0].lower() for node in ctx.model.effective(block, "add_header") if node.args)
        if header in names:
            return True
        if any(header in token.lower() for node in block.named("more_set_headers") for token in node.args):
            return True
        if block.first("security_headers") is not None:
            return True
    return False


def hsts_missing(ctx: CheckContext) -> Iterable[Hit]:
    """TLS servers without Strict-Transport-Security; one finding when none has it."""
    if ctx.model.config.fragment or ctx.model.unread_files("http"):
        return
    servers = _tls_servers(ctx)
    none_sends = not any(map(ctx.model.config.named, _SENDING))
    lacking = servers if none_sends else [server for server in servers if not _sends(ctx, server, _HSTS)]
    if lacking and len(lacking) == len(servers) and len(servers) > 1:
        shown = lacking[:1]
        what = f"none of the {len(servers)} TLS servers tells browsers to stay with https"
    else:
        shown = lacking
        what = "browsers are not told to stay with https: the first request of a visit can be intercepted"
    for server in shown:
        yield Hit(
            name_of(server.directive),
            what,
            server.directive,
            help='Write add_header Strict-Transport-Security "max-age=31536000" always; once all names have TLS.',
        )


def hsts_weak(ctx: CheckContext) -> Iterable[Hit]:
    """Strict-Transport-Security that does not last, or asks for more than it says."""
    for node in _added(ctx, _HSTS):
        value = node.args[1]
        if "$" in value:
            continue
        problem = _weakness(value.lower())
        if problem:
            yield Hit(
                arg(node, value),
                f"Strict-Transport-Security: {problem}",
                node,
                help='Use "max-age=31536000; includeSubDomains" once every sub-domain has TLS.',
            )


def _weakness(value: str) -> str:
    found = re.search(_MAX_AGE, value)
    if found is None:
        return "without max-age browsers ignore it"
    seconds = int(found[1])
    if seconds == 0:
        return "max-age=0 makes browsers forget it"
    if "preload" in value and ("includesubdomains" not in value or seconds < _YEAR):
        return "preload needs includeSubDomains and a max-age of a year"
    return f"{seconds} seconds is less than half a year" if seconds < _HALF_YEAR else ""


def http3_alt_svc_missing(ctx: CheckContext) -> Iterable[Hit]:
    """HTTP/3 that no client learns about."""
    for server in ctx.model.servers("http"):
        quic = next((listen for listen in server.listens if listen.quic and listen.directive), None)
        if quic is None or quic.directive is None or ctx.model.unknown_inside(server.directive):
            continue
        if ctx.model.config.fragment or _sends(ctx, server, "alt-svc"):
            continue
        yield Hit(
            whole(quic.directive),
            "no Alt-Svc header tells browsers about HTTP/3: they keep using TCP",
            quic.directive,
            help=f"Write add_header Alt-Svc 'h3=\":{quic.port}\"; ma=86400' always;",
        )


def security_headers_missing(ctx: CheckContext) -> Iterable[Hit]:
    """Servers of files without the usual headers; asked for only."""
    for server in ctx.model.servers("http"):
        node = server.directive
        if ctx.model.unknown_inside(node) or node.first("return") or not ctx.model.effective(node, "root"):
            continue
        lacking = [
            name
            for name in ("X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy")
            if not _sends(ctx, server, name.lower())
        ]
        if lacking:
            yield Hit(
                name_of(node),
                f"{listed(lacking)}: not sent",
                node,
                severity=Severity.INFO,
                help="Add them in the server, with always.",
            )


def cors_wildcard_credentials(ctx: CheckContext) -> Iterable[Hit]:
    """Origins that browsers refuse: any together with credentials, several, or none that can be one."""
    for block in dict.fromkeys(node.parent for node in _added(ctx, "access-control-allow-origin")):
        if block is None:
            continue
        headers = [node for node in ctx.model.effective(block, "add_header") if len(node.args) > 1]
        origins = [node for node in headers if node.args[0].lower() == "access-control-allow-origin"]
        credentials = next(
            (
                node
                for node in headers
                if node.args[0].lower() == "access-control-allow-credentials"
                and node.args[1].lower() == "true"
            ),
            None,
        )
        if origins[0].parent is not block:
            continue
        value = origins[0].args[1].strip()
        if value == "*" and credentials is not None:
            problem = "browsers refuse * together with credentials"
        elif len(origins) > 1:
            problem = "two such headers are sent, and browsers refuse both"
        elif "$" not in value and ("," in value or " " in value or value.count("/") > 2):
            problem = "one origin (scheme and host) is allowed here, no list and no path"
        else:
            continue
        yield Hit(
            whole(origins[0]),
            f"no other site can read this: {problem}",
            origins[0],
            related=(("credentials are allowed here", whole(credentials)),)
            if credentials is not None
            else (),
            help="Take the origin from a map of those that are allowed.",
        )
