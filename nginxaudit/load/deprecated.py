"""Ways of writing that newer versions of nginx have replaced."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nginxaudit.finding import Fix, Severity
from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.model import Model
from nginxaudit.model.server import Server
from nginxaudit.nginx.since import HTTP2_DIRECTIVE


def listen_http2_deprecated(ctx: CheckContext) -> Iterable[Hit]:
    """``listen … http2`` where the directive ``http2`` has taken its place; once per server."""
    if not ctx.target.since(HTTP2_DIRECTIVE):
        return
    for server in ctx.model.servers("http"):
        listens = [
            (node, token)
            for node in server.directive.named("listen")
            for token in node.args[1:]
            if token == "http2"
        ]
        if not listens:
            continue
        node, token = listens[0]
        switched = ctx.model.flag(server.directive, "http2")
        yield Hit(
            arg(node, token),
            'the parameter "http2" of listen is deprecated since nginx 1.25.1: use the directive "http2"',
            node,
            related=tuple(("and here", arg(other, word)) for other, word in listens[1:]),
            severity=Severity.INFO if switched else None,
            help='Delete it: the server already has "http2 on;".'
            if switched
            else 'Write "http2 on;" in every server of the socket instead.',
            make_fix=partial(_by_directive, ctx.model, server),
            cause=ctx.cause(),
        )


def _by_directive(model: Model, server: Server) -> Fix | None:
    from nginxaudit.load.fixes.http2 import by_directive

    return model.once(by_directive).get(server)
