"""OCSP stapling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.tls.servers import text_of, tls_servers
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.model import Model
from nginxaudit.model.server import Server
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive

_NO_OCSP = r"(?i)letsencrypt|/acme|\$acme"
_LETS_ENCRYPT = r"letsencrypt"


def _stapling(ctx: CheckContext) -> Iterator[tuple[Server, Directive]]:
    reported: set[Directive] = set()
    for server in tls_servers(ctx):
        found = ctx.model.effective(server.directive, "ssl_stapling")
        if (
            found
            and found[0].args[:1] == ["on"]
            and found[0] not in reported
            and not ctx.model.unknown_inside(server.directive)
        ):
            reported.add(found[0])
            yield server, found[0]


def stapling_without_resolver(ctx: CheckContext) -> Iterable[Hit]:
    """Stapling that looks up only once whom to ask."""
    if ctx.model.unread_files("http"):
        return
    for server, node in _stapling(ctx):
        block = server.directive
        if ctx.model.effective(block, "resolver") or ctx.model.effective(block, "ssl_stapling_file"):
            continue
        responder = ctx.model.value(block, "ssl_stapling_responder")
        if responder is None or not re.match(r"http://[\d.]+[:/]|http://\[", responder):
            yield Hit(
                whole(node),
                "no resolver: nginx resolves the OCSP responder only at start",
                node,
                help="Add resolver with your DNS servers.",
            )


def stapling_without_responder(ctx: CheckContext) -> Iterable[Hit]:
    """Stapling for certificates of an authority that has no OCSP any more."""
    for server, node in _stapling(ctx):
        certificates = ctx.model.effective(server.directive, "ssl_certificate")
        if certificates and all(re.search(_NO_OCSP, text_of(each)) for each in certificates):
            yield Hit(
                whole(node),
                "ssl_stapling has no effect: Let's Encrypt ended OCSP in 2025",
                node,
                related=(("the certificate", whole(certificates[0])),),
                help="Delete ssl_stapling and ssl_stapling_verify.",
                make_fix=partial(_without_stapling, node, ctx.model),
            )


def _without_stapling(node: Directive, model: Model) -> Fix | None:
    """Stapling taken out, with its verification, where no certificate that it is for can have any.

    Certificates of other authorities may lie in the directories of ACME clients other than Certbot.
    """
    block = node.parent
    if block is None or block.parent is None:
        return None
    users = [
        each for each in model.servers("http") if model.effective(each.directive, "ssl_stapling") == [node]
    ]
    if not all(_has_nothing_to_staple(each, model) for each in users):
        return None
    outer = model.flag(block.parent, "ssl_stapling", False)
    made = edits.deletion(node) if outer is False else (edits.exchanged(node, node.args[0], "off"),)
    others = [each for each in model.config.named("ssl_stapling") if each is not node]
    verify = block.first("ssl_stapling_verify")
    if made and verify is not None and (not others or block.inner == "server"):
        made += edits.deletion(verify) or ()
    title = "Write ssl_stapling off" if outer is not False else "Delete ssl_stapling"
    return Fix(title, Applicability.UNSAFE, tuple(sorted(made, key=_start))) if made else None


def _start(edit: Edit) -> tuple[str, int]:
    return edit.file, edit.start


def _has_nothing_to_staple(server: Server, model: Model) -> bool:
    """Neither a response from a file nor a responder is named, and the certificates are those of ACME clients."""
    block = server.directive
    if any(model.effective(block, name) for name in ("ssl_stapling_file", "ssl_stapling_responder")):
        return False
    return all(
        compiled(_LETS_ENCRYPT, re.IGNORECASE).search(token) or "/acme" in token or "$acme" in token
        for each in model.effective(block, "ssl_certificate")
        for token in each.args
    )
