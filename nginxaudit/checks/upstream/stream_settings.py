"""Settings of stream that do nothing, or less than they seem to, where they stand.

Facts: ``ngx_stream_proxy_connect`` in src/stream/ngx_stream_proxy_module.c makes TLS for TCP alone and where ``proxy_ssl``
is on; src/stream/ngx_stream_ssl_preread_module.c reads names where ``ssl_preread`` is on, and behind TLS that ends there
it finds none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nginxaudit.finding import Severity
from nginxaudit.hit import CheckContext, Hit, unless, whole
from nginxaudit.model.passes import Pass
from nginxaudit.model.server import Server
from nginxaudit.nginx.services import LONG_LIVED
from nginxaudit.syntax.tree import Directive

_DEPTH = 6  # maps one after the other


def served(ctx: CheckContext) -> Iterator[tuple[Pass, Server]]:
    """Passes of stream with their servers, whose sockets are known."""
    for each in ctx.model.passes:
        server = each.server if each.family == "stream" else None
        if server is not None and server.listens and not server.listen_unknown:
            yield each, server


def stream_udp_settings_ignored(ctx: CheckContext) -> Iterable[Hit]:
    """TLS and the PROXY protocol for datagrams."""
    seen: set[Directive] = set()
    for each, server in served(ctx):
        udp = next((listen for listen in server.listens if listen.udp), None)
        if udp is None or udp.directive is None:
            continue
        for name in ("proxy_ssl", "proxy_protocol"):
            written = ctx.model.effective(each.scope, name)
            if not written or written[0] in seen or not ctx.model.flag(each.scope, name, False):
                continue
            seen.add(written[0])
            tls = name == "proxy_ssl"
            yield Hit(
                whole(written[0]),
                "proxy_ssl has no effect for UDP: datagrams are sent unencrypted"
                if tls
                else "with UDP only the first datagram of a session has the PROXY protocol header",
                written[0],
                related=(("UDP socket", whole(udp.directive)),),
                severity=Severity.ERROR if tls else None,
                why=""
                if tls
                else "The backend gets the later datagrams of the session without the address of the client.",
                help="Use it only in TCP servers."
                if tls
                else "Delete it, and use proxy_bind $remote_addr transparent; where the backend needs the address.",
            )


def ssl_preread_variable_empty(ctx: CheckContext) -> Iterable[Hit]:
    """Passes chosen by a name that nothing has read."""
    for each, server in served(ctx):
        if not each.runtime:
            continue
        found = ctx.model.variables("stream").first_behind(each.text, _is_preread, _DEPTH)
        if not found:
            continue
        on = ctx.model.flag(each.scope, "ssl_preread", False)
        ended = next((listen for listen in server.listens if listen.ssl), None)
        if on is None or (on and ended is None):
            continue
        ends_all = all(listen.ssl for listen in server.listens)
        if on and not ends_all:
            continue
        why = "TLS is terminated on this port" if ends_all else "ssl_preread is off"
        instead = "Use $ssl_server_name." if ends_all else "Write ssl_preread on;"
        hit = Hit(
            whole(each.directive),
            f"${found} is always empty here: {why}",
            each.directive,
            related=(("this socket", whole(ended.directive)),) if ended and ended.directive else (),
            help=instead,
        )
        assumed = not ends_all and ctx.model.may_be_set(each.scope, "ssl_preread")
        yield unless(assumed, "a block around it sets ssl_preread on", hit)


def _is_preread(name: str) -> bool:
    return name.startswith("ssl_preread_")


def stream_timeout_too_short(ctx: CheckContext) -> Iterable[Hit]:
    """Seconds of silence after which a session with a database or broker is cut."""
    shortest = 60_000
    seen: set[Directive] = set()
    for each, server in served(ctx):
        written = ctx.model.effective(each.scope, "proxy_timeout")
        timeout = ctx.model.time_ms(each.scope, "proxy_timeout")
        if not written or written[0] in seen or timeout is None or timeout >= shortest:
            continue
        if any(listen.udp for listen in server.listens):
            continue
        service = next((LONG_LIVED[port] for port in _ports(each, server) if port in LONG_LIVED), None)
        if service is None:
            continue
        seen.add(written[0])
        yield Hit(
            whole(written[0]),
            f"{service} connections that are idle for {written[0].args[0]} are closed",
            written[0],
            related=(("used here", whole(each.directive)),),
            help="Set proxy_timeout to an hour or more, with a short proxy_connect_timeout.",
        )


def _ports(each: Pass, server: Server) -> Iterator[int | None]:
    for target in each.targets:
        if target.upstream is not None:
            yield from (peer.address.port for peer in target.upstream.peers if peer.address is not None)
        else:
            yield target.port
    yield from (listen.port for listen in server.listens)
