"""What a TLS handshake costs, and keys that live longer than they should."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, arg, whole
from nginxaudit.syntax.tree import Directive

_DHE = r"(?:DHE|EDH|kDHE|kEDH)(?:-|\Z)"
_SHORT = r"(?<!\d)(?:512|768|1024)(?!\d)"


def dhe_without_dhparam(ctx: CheckContext) -> Iterable[Hit]:
    """Suites with DHE that are never used, or used with a short prime."""
    parameters = ctx.model.config.named("ssl_dhparam")
    for node in parameters:
        short = re.search(_SHORT, node.args[0].rsplit("/", 1)[-1]) if node.args else None
        if short is not None:
            yield Hit(
                whole(node),
                f"DH prime of {short[0]} bits (by its file name) is too short: clients reject it",
                node,
                help="Generate a prime of at least 2048 bits, or remove DHE from ssl_ciphers.",
            )
    if parameters or ctx.model.unread_files("http"):
        return
    for node in ctx.model.config.named("ssl_ciphers"):
        words = re.split(r"[:, ]+", node.args[0]) if node.args else []
        found = next((word for word in words if re.match(_DHE, word)), None)
        if found is not None and ctx.model.family_of(node) == "http":
            yield Hit(
                arg(node, node.args[0]),
                f"{found} is never used: DHE requires ssl_dhparam",
                node,
                help="Remove these suites: all current clients support ECDHE.",
            )
            return


def session_tickets_static(ctx: CheckContext) -> Iterable[Hit]:
    """Keys of session tickets that stay until somebody changes a file."""
    reported: set[Directive | None] = set()
    for node in ctx.model.config.named("ssl_session_ticket_key"):
        keys = node.parent.named("ssl_session_ticket_key") if node.parent is not None else []
        if len(keys) == 1 and node.parent not in reported:  # several are how keys are rotated
            reported.add(node.parent)
            yield Hit(
                whole(node),
                "one static session ticket key: if it leaks, recorded sessions can be decrypted (up to TLS 1.2)",
                node,
                help="Rotate it with a second ssl_session_ticket_key. On a single machine, delete it: nginx generates keys.",
            )
