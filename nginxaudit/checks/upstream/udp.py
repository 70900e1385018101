"""Groups of stream that speak UDP."""

from __future__ import annotations

from collections.abc import Iterable

from nginxaudit.hit import CheckContext, Hit, whole

_ANSWER_ONCE = frozenset({53, 123})  # DNS and NTP: one answer to every question


def stream_udp_without_responses(ctx: CheckContext) -> Iterable[Hit]:
    """A session that waits for more answers than there are: silent servers are not noticed."""
    for each in ctx.model.passes:
        upstream = each.upstream
        if each.family != "stream" or each.server is None or upstream is None:
            continue
        udp = [listen for listen in each.server.listens if listen.udp]
        ports = {listen.port for listen in udp} | {
            peer.address.port for peer in upstream.peers if peer.address
        }
        if not udp or len(upstream.live_primaries) < 2 or _ANSWER_ONCE.isdisjoint(ports):
            continue
        if ctx.model.effective(each.scope, "proxy_responses"):
            continue
        yield Hit(
            whole(each.directive),
            f'without proxy_responses, servers of "{upstream.name}" that do not answer are never marked unavailable',
            each.directive,
            help="Set proxy_responses 1; and a proxy_timeout of a few seconds.",
        )
