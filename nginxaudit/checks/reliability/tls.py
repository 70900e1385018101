"""TLS settings that depend on the OpenSSL of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.tls.servers import LIST
from nginxaudit.hit import CheckContext, Edits, Hit, arg
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive, Token

_QUANTUM = r"(?i)MLKEM|KYBER"


def ecdh_curve_unsupported(ctx: CheckContext) -> Iterable[Hit]:
    """Groups that many OpenSSL versions do not know, so that nginx does not start."""
    for node in ctx.model.config.named("ssl_ecdh_curve"):
        for token in node.args:
            odd = [
                group
                for group in token.split(":")
                if re.search(_QUANTUM, group) and not group.startswith("?")
            ]
            if odd:
                yield Hit(
                    arg(node, token),
                    f"OpenSSL before 3.5 does not support {odd[0]}: nginx refuses to start",
                    node,
                    help=f"Write ?{odd[0]} (OpenSSL 3.3 and later), or check the version.",
                    make_fix=partial(_optional, node, token),
                )


def _optional(node: Directive, token: Token) -> Edits:
    """A question mark before groups that OpenSSL may not know."""
    found = compiled(LIST).fullmatch(edits.written(node, token))
    if found is None:
        return None
    groups = [
        f"?{group}" if re.search(_QUANTUM, group) and not group.startswith("?") else group
        for group in found[1].split(":")
    ]
    start = token.start + found.start(1)
    return (edits.replaced(node.source, start, start + len(found[1]), ":".join(groups)),)
