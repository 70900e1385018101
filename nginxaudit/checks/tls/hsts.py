"""Strict-Transport-Security."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.headers.values import HSTS, added, sends
from nginxaudit.checks.inherited import repeated
from nginxaudit.checks.tls.sites import public_names
from nginxaudit.hit import CheckContext, Edits, Hit, arg, name_of, unless
from nginxaudit.model import Model
from nginxaudit.model.server import Server
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive, Token

_HALF_YEAR, _YEAR = 15_768_000, 31_536_000  # seconds
_MAX_AGE = r"(?i)max-age\s*=\s*\"?(\d+)"
_AGE = r"(max-age\s*=\s*\\?[\"']?)(\d+)"
_LINE = 'add_header Strict-Transport-Security "max-age=31536000" always;'
_SENDING = ("add_header", "more_set_headers", "security_headers")


def _tls_servers(ctx: CheckContext) -> list[Server]:
    """Servers that answer names over TLS."""
    return [
        server
        for server in ctx.model.servers("http")
        if any(listen.ssl or listen.quic for listen in server.listens)
        and not ctx.model.flag(server.directive, "ssl_reject_handshake", False)
        and not ctx.model.unknown_inside(server.directive)
        and public_names(server)
    ]


def hsts_missing(ctx: CheckContext) -> Iterable[Hit]:
    """TLS servers without Strict-Transport-Security."""
    model = ctx.model
    if model.unread_files("http") and not model.is_enclosed:
        return
    servers = _tls_servers(ctx)
    none_sends = not any(map(model.config.named, _SENDING))
    lacking = servers if none_sends else [server for server in servers if not sends(ctx, server, HSTS)]
    for server in lacking:
        from nginxaudit.checks.headers import shortfalls  # only who has such a finding pays for it

        hit = Hit(
            name_of(server.directive),
            "no Strict-Transport-Security header: the first request of a visit can be intercepted",
            server.directive,
            help='Write add_header Strict-Transport-Security "max-age=31536000" always; once all names use TLS.',
            make_fix=partial(_with_header, server.directive, model),
            cause=ctx.cause(),
            witness=shortfalls.without_hsts(ctx, server.directive) if server is lacking[0] else None,
        )
        assumed = any(model.may_be_set(server.directive, name) for name in _SENDING)
        yield unless(assumed, "http adds the header", hit)


def _with_header(block: Directive, model: Model) -> Edits:
    """The header behind the other settings of the server, inherited headers repeated beside it."""
    merged = block.named("add_header") or model.value(block, "add_header_inherit") == "merge"
    inherited = [] if merged else model.effective(block, "add_header")
    before = repeated(inherited) if inherited else ""
    if before is None:
        return None
    text = f"{before}\n{_LINE}" if before else _LINE
    names = ("listen", "server_name", "ssl_certificate", "ssl_certificate_key", "add_header")
    nodes = [each for each in block.children if each.name in names]
    last = edits.standing_in(block, nodes[-1]) if nodes else None
    return (edits.after(last, text) if last is not None else edits.last_in(block, text),)


def hsts_weak(ctx: CheckContext) -> Iterable[Hit]:
    """Strict-Transport-Security that does not last, or asks for more than it says."""
    for node in added(ctx, HSTS):
        value = node.args[1]
        if "$" in value:
            continue
        problem, why = _weakness(value.lower())
        if problem:
            yield Hit(
                arg(node, value),
                f"Strict-Transport-Security: {problem}",
                node,
                help='Use "max-age=31536000; includeSubDomains" once every subdomain uses TLS.',
                why=why,
                make_fix=partial(_longer, node, value),
            )


def _longer(node: Directive, token: Token) -> Edits:
    """A year. Zero takes the header back on purpose, and whether sub-domains are meant is not guessed."""
    raw, value = edits.written(node, token), token.lower()
    age = compiled(_AGE, re.IGNORECASE).search(raw)
    if "preload" in value and "includesubdomains" not in value:
        return None
    if age is not None:
        start = token.start + age.start(2)
        end = token.start + age.end(2)
        return (edits.replaced(node.source, start, end, str(_YEAR)),) if int(age[2]) else None
    if "max-age" in value or set(token) & set("\"'\\"):
        return None
    return (edits.exchanged(node, token, f'"max-age={_YEAR}; {token}"' if token else f'"max-age={_YEAR}"'),)


def _weakness(value: str) -> tuple[str, str]:
    """What is weak, and why it matters where that is not that browsers forget it."""
    found = re.search(_MAX_AGE, value)
    if found is None:
        return "browsers ignore it without max-age", "The header has no effect."
    seconds = int(found[1])
    if seconds == 0:
        return (
            "max-age=0 removes it from browsers",
            "Browsers forget that the site uses TLS, and may send the next request unencrypted.",
        )
    if "preload" in value and ("includesubdomains" not in value or seconds < _YEAR):
        return (
            "preload requires includeSubDomains and a max-age of one year",
            "Browsers do not add the site to their preload list.",
        )
    return (f"{seconds} seconds is less than half a year" if seconds < _HALF_YEAR else ""), ""
