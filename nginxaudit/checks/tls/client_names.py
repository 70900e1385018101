"""Names in certificates of backends that clients choose."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.security.backends import host_choice
from nginxaudit.checks.tls.upstreams import secure_passes
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.taint import Origin
from nginxaudit.model.variables import references
from nginxaudit.syntax.tree import Directive

_TLS_NAMES = frozenset({"ssl_server_name", "ssl_preread_server_name"})


def upstream_tls_name_from_client(ctx: CheckContext) -> Iterable[Hit]:
    """``…_ssl_name`` with what the client sent, where certificates are verified."""
    seen: set[Directive] = set()
    for each, prefix in secure_passes(ctx):
        if not ctx.model.flag(each.scope, f"{prefix}_ssl_verify", False):
            continue
        for node in ctx.model.effective(each.scope, f"{prefix}_ssl_name")[:1]:
            chosen = _chosen(ctx.model, each, node) if node not in seen else None
            if chosen is None:
                continue
            seen.add(node)
            variable, severity = chosen
            several = each.upstream is not None and each.upstream.live > 1
            outcome = (
                f'one wrong name marks every server of "{each.upstream.name}" unavailable'
                if several and each.upstream is not None
                else "the certificate of any other host is accepted"
            )
            yield Hit(
                whole(node),
                f"{node.name} is client-controlled ({variable}): {outcome}",
                node,
                related=(("used here", whole(each.directive)),),
                severity=severity,
                help="Set the name that the certificate of the backend contains.",
                why=""
                if several and each.upstream is not None
                else "An attacker can choose a name for which they have a valid certificate: verification no longer proves which backend answers.",
            )


def _chosen(model: Model, each: Pass, node: Directive) -> tuple[str, Severity | None] | None:
    """What the client writes into the name, and how bad that is; None where it is one of the names of the server."""
    if not node.args:
        return None
    for reference in references(node.args[0]):
        if reference.name in _TLS_NAMES:
            name = f"${reference.name}"
            if each.family == "stream":
                return name, None
            severity = host_choice(model, Origin("$host", name, "host"), each.server)
            return (name, _at_most_warning(severity)) if severity is not None else None
    for origin in model.taint.origins(node.args[0], each.directive):
        if origin.kind == "free":
            return origin.variable, None
        if origin.kind == "host":
            severity = host_choice(model, origin, each.server)
            if severity is not None:
                return origin.variable, _at_most_warning(severity)
    return None


def _at_most_warning(severity: Severity) -> Severity | None:
    """That of the page, unless it is information only."""
    return severity if severity is Severity.INFO else None
