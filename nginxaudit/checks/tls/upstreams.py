"""TLS towards backends: whether anybody looks who answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, whole
from nginxaudit.model.passes import Pass

_SECURE = {"proxy": "https", "grpc": "grpcs", "uwsgi": "suwsgi"}


def _secure_passes(ctx: CheckContext) -> Iterator[tuple[Pass, str]]:
    """Passes that speak TLS, with the prefix of their directives."""
    for each in ctx.model.passes:
        if each.protocol == "stream":
            if ctx.model.flag(each.scope, "proxy_ssl", False):
                yield each, "proxy"
        elif each.text.lower().startswith(f"{_SECURE.get(each.protocol)}://"):
            yield each, each.protocol


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
    for each, prefix in _secure_passes(ctx):
        if (
            ctx.model.flag(each.scope, f"{prefix}_ssl_verify", False) is False
            and not ctx.model.config.fragment
        ):
            yield Hit(
                whole(each.directive),
                "the certificate of the backend is not looked at: whoever gets in between can answer",
                each.directive,
                severity=Severity.INFO if _is_inside(each) else None,
                help=f"Write {prefix}_ssl_verify on; with {prefix}_ssl_trusted_certificate, {prefix}_ssl_name and {prefix}_ssl_server_name on;",
            )


def upstream_tls_sni_missing(ctx: CheckContext) -> Iterable[Hit]:
    """No name is sent to a host that may serve several."""
    for each, prefix in _secure_passes(ctx):
        if (
            each.target_kind == "hostname"
            and "." in each.host
            and ctx.model.flag(each.scope, f"{prefix}_ssl_server_name", False) is False
        ):
            yield Hit(
                whole(each.directive),
                f"{each.host} does not learn which name is meant: CDNs and clouds refuse that, or send another certificate",
                each.directive,
                help=f"Write {prefix}_ssl_server_name on;",
            )


def upstream_tls_name_is_group(ctx: CheckContext) -> Iterable[Hit]:
    """The name of the group is sent, and looked for in the certificate."""
    for each, prefix in _secure_passes(ctx):
        group = each.upstream
        if group is None or "." in group.name or ctx.model.effective(each.scope, f"{prefix}_ssl_name"):
            continue
        verify = ctx.model.flag(each.scope, f"{prefix}_ssl_verify", False)
        if verify or ctx.model.flag(each.scope, f"{prefix}_ssl_server_name", False):
            what = (
                "looked for in the certificate, and found in none: every request gets 502"
                if verify
                else "sent as the name of the server"
            )
            yield Hit(
                whole(each.directive),
                f'"{group.name}", the name of the group, is {what}',
                each.directive,
                related=(("the group", whole(group.directive)),),
                help=f"Write {prefix}_ssl_name with the name in the certificate.",
            )
