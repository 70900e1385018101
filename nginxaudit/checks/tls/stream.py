"""TLS of stream to backends.

``ngx_stream_proxy_connect`` in src/stream/ngx_stream_proxy_module.c makes TLS only where ``proxy_ssl`` is on.
"""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.checks.upstream.stream_settings import served
from nginxaudit.hit import CheckContext, Hit, unless, whole

_SETTINGS = tuple(
    f"proxy_ssl_{name}"
    for name in (
        "alpn", "certificate", "certificate_key", "ciphers", "conf_command", "crl", "name", "password_file", "protocols",
        "server_name", "session_reuse", "trusted_certificate", "verify", "verify_depth",
    )
)  # fmt: skip


def stream_proxy_ssl_off(ctx: CheckContext) -> Iterable[Hit]:
    """``proxy_ssl_…`` without ``proxy_ssl on``; what is written for several servers is judged for all of them."""
    settings = [
        node
        for name in ctx.model.written(_SETTINGS)
        for node in ctx.model.config.named(name)
        if node.context in ("stream", "stream-server") and node.args[:1] != ["off"]
    ]
    if not settings:
        return
    passes = [each for each, _ in served(ctx)]
    plain = [each for each in passes if ctx.model.flag(each.scope, "proxy_ssl", False) is False]
    encrypted = len(plain) < len(passes)
    for each in plain:
        inside = [
            node for node in settings if node.parent in (each.scope, each.server and each.server.directive)
        ]
        shared = [node for node in settings if node.context == "stream"] if not encrypted else []
        found = sorted(inside, key=lambda node: node.start) or sorted(shared, key=lambda node: node.start)
        if not found:
            continue
        node = found[0]
        settings = [other for other in settings if other not in found]
        hit = Hit(
            whole(node),
            f"{node.name} has no effect: proxy_ssl is off, so nginx does not encrypt the connection",
            node,
            related=(
                ("used here", whole(each.directive)),
                *(("also without effect", whole(other)) for other in found[1:4]),
            ),
            help="Add proxy_ssl on; or delete the directive if TLS is passed through from the client.",
        )
        yield unless(
            ctx.model.may_be_set(each.scope, "proxy_ssl"), "an enclosing block sets proxy_ssl on", hit
        )
