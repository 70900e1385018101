"""TLS towards backends: whether anybody looks who answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Edits, Hit, unless, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.upstream import Upstream
from nginxaudit.syntax.tree import Directive

_SECURE = {"proxy": "https", "grpc": "grpcs", "uwsgi": "suwsgi"}


def secure_passes(ctx: CheckContext) -> Iterator[tuple[Pass, str]]:
    """Passes that speak TLS, with the prefix of their directives."""
    for each in ctx.model.passes:
        if each.protocol == "stream":
            if ctx.model.flag(each.scope, "proxy_ssl", False):
                yield each, "proxy"
        elif each.protocol in _SECURE and _speaks_tls(each, _SECURE[each.protocol]):
            yield each, each.protocol


def _speaks_tls(each: Pass, scheme: str) -> bool:
    """Whether the text says so, or may say so when it is filled in."""
    text = each.text.lower()
    plain = scheme.replace("s", "", 1) if scheme == "suwsgi" else scheme[:-1]
    return text.startswith(f"{scheme}://") or (
        each.directive.args[0].filled and not text.startswith(f"{plain}://")
    )


def _is_inside(each: Pass) -> bool:
    """All servers that it can reach have addresses that are not of the Internet."""
    if each.target_kind == "unix":
        return True
    hosts = [each.host] if each.target_kind == "address" else []
    if each.upstream is not None:
        hosts = [peer.address.host if peer.address is not None else "" for peer in each.upstream.peers]
    from ipaddress import ip_address

    try:
        return bool(hosts) and all(
            host == "localhost" or ip_address(host.strip("[]")).is_private for host in hosts
        )
    except ValueError:
        return False


def upstream_tls_unverified(ctx: CheckContext) -> Iterable[Hit]:
    """Encrypted, and anybody on the way may be the one who answers."""
    for each, prefix in secure_passes(ctx):
        if ctx.model.flag(each.scope, f"{prefix}_ssl_verify", False) is False:
            # In a template what is written out is judged, and where to it is passed often is not.
            explicit = ctx.model.effective(each.scope, f"{prefix}_ssl_verify")
            at = explicit[-1] if explicit and ctx.model.is_filled_in(each.directive) else each.directive
            hit = Hit(
                whole(at),
                "upstream certificate is not verified (open to man-in-the-middle)",
                at,
                severity=Severity.INFO if _is_inside(each) else None,
                help=f"Add {prefix}_ssl_verify on; with {prefix}_ssl_trusted_certificate, {prefix}_ssl_name and {prefix}_ssl_server_name on;",
                make_fix=partial(_verified, each, prefix, ctx.model),
            )
            yield unless(
                _assumed(ctx.model, each, f"{prefix}_ssl_verify"),
                "an enclosing block enables verification",
                hit,
            )


def _assumed(model: Model, each: Pass, name: str) -> bool:
    """Whether it is assumed that no block around a fragment has ``name``, which itself does not have it."""
    return model.is_enclosed and not model.effective(each.scope, name) and model.may_be_set(each.scope, name)


def _verified(each: Pass, prefix: str, model: Model) -> Edits:
    """Verification, where authorities and a name that a certificate can have are set already."""
    if model.effective(each.scope, f"{prefix}_ssl_verify"):
        return None  # decided on purpose
    group = each.upstream
    named = model.effective(each.scope, f"{prefix}_ssl_name") or (
        "." in group.name if group is not None else each.target_kind == "hostname"
    )
    trusted = model.effective(each.scope, f"{prefix}_ssl_trusted_certificate")
    return _before_pass(each.directive, f"{prefix}_ssl_verify on;") if named and trusted else None


def upstream_tls_sni_missing(ctx: CheckContext) -> Iterable[Hit]:
    """No name is sent to a host that may serve several."""
    for each, prefix in secure_passes(ctx):
        if (
            each.target_kind == "hostname"
            and "." in each.host
            and ctx.model.flag(each.scope, f"{prefix}_ssl_server_name", False) is False
        ):
            hit = Hit(
                whole(each.directive),
                f"no SNI is sent to {each.host}: {prefix}_ssl_server_name is off",
                each.directive,
                help=f"Add {prefix}_ssl_server_name on;",
                make_fix=partial(_name_sent, each.directive, prefix),
            )
            yield unless(
                _assumed(ctx.model, each, f"{prefix}_ssl_server_name"), "an enclosing block enables it", hit
            )


def _name_sent(node: Directive, prefix: str) -> Edits:
    """The name sent in the handshake."""
    name = f"{prefix}_ssl_server_name"
    own = node.parent.first(name) if node.parent is not None else None
    return (
        (edits.exchanged(own, own.args[0], "on"),) if own and own.args else _before_pass(node, f"{name} on;")
    )


def upstream_tls_name_is_group(ctx: CheckContext) -> Iterable[Hit]:
    """The name of the group is sent, and looked for in the certificate."""
    for each, prefix in secure_passes(ctx):
        group = each.upstream
        if group is None or "." in group.name or ctx.model.effective(each.scope, f"{prefix}_ssl_name"):
            continue
        verify = ctx.model.flag(each.scope, f"{prefix}_ssl_verify", False)
        if verify or ctx.model.flag(each.scope, f"{prefix}_ssl_server_name", False):
            what = "expected in the certificate of the backend" if verify else "sent as SNI"
            hit = Hit(
                whole(each.directive),
                f'upstream name "{group.name}" is {what}',
                each.directive,
                related=(("upstream", whole(group.directive)),),
                help=f"Set {prefix}_ssl_name to the name in the certificate.",
                why=""
                if verify
                else "The backend does not know this name: it sends its default certificate, or rejects the connection.",
                make_fix=partial(_named, each, group, prefix),
            )
            yield unless(
                _assumed(ctx.model, each, f"{prefix}_ssl_name"), "an enclosing block sets another value", hit
            )


def _named(each: Pass, group: Upstream, prefix: str) -> Edits:
    """The name of the servers, when all of the group have the same one."""
    peers = group.peers
    hosts = {peer.address.host for peer in peers if peer.address is not None and peer.is_hostname}
    if len(hosts) != 1 or not all(peer.is_hostname for peer in peers):
        return None
    return _before_pass(each.directive, f"{prefix}_ssl_name {hosts.pop()};")


def _before_pass(node: Directive, line: str) -> Edits:
    """A line before a pass; such lines are not allowed in ``if`` and ``limit_except``."""
    allowed = node.parent is not None and node.parent.inner in ("location", "stream-server")
    return (edits.before(node, line),) if allowed else None
