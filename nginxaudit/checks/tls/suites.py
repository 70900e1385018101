"""Lists of cipher suites: what none of their suites has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.hit import CheckContext, Hit, arg
from nginxaudit.nginx.ciphers import lacks_aead, lacks_ephemeral
from nginxaudit.syntax.tree import Directive


def suite_lists(ctx: CheckContext, name: str = "ssl_ciphers") -> Iterator[Directive]:
    """Directives ``name`` with a list that is written out and used: TLS 1.3 alone does not use it."""
    for node in ctx.model.config.named(name):
        if not node.args or "$" in node.args[0] or node.parent is None:
            continue
        protocols = ctx.model.effective(node.parent, name.replace("ciphers", "protocols"))
        if [token.lower() for each in protocols for token in each.args] != ["tlsv1.3"]:
            yield node


def forward_secrecy_missing(ctx: CheckContext) -> Iterable[Hit]:
    """Lists of suites in which no key exchange is ephemeral."""
    for node in suite_lists(ctx):
        if lacks_ephemeral(node.args[0]):
            yield Hit(
                arg(node, node.args[0]),
                "ssl_ciphers has no suite with forward secrecy (ECDHE or DHE)",
                node,
                help="Add ECDHE suites, for example ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256.",
            )


def aead_missing(ctx: CheckContext) -> Iterable[Hit]:
    """Lists in which all suites have CBC, or something older."""
    for node in suite_lists(ctx):
        if lacks_aead(node.args[0]):
            yield Hit(
                arg(node, node.args[0]),
                "ssl_ciphers has CBC suites only: TLS 1.2 clients cannot use AES-GCM or ChaCha20",
                node,
                help="Add ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256 in front.",
            )
