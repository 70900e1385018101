"""Do scheme and port of a target fit together?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from nginxaudit import edits
from nginxaudit.checks.upstream.common import group_place, peer_place, related_peers
from nginxaudit.checks.upstream.ends import ends_here
from nginxaudit.finding import Applicability, Fix, Severity
from nginxaudit.hit import CheckContext, Edits, Hit, arg, listed, whole
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.peer import Peer
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx import parse_address
from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.services import NOT_HTTP

_URL = r"([A-Za-z][A-Za-z0-9+.-]*)://"
_TLS_PORT = 443
_TLS_PORTS = {443: True, 8443: False}  # port -> whether it is more than a convention
_PLAIN_PORTS = {80: True, 8080: False}
_USUAL = frozenset({*_TLS_PORTS, *_PLAIN_PORTS})


def upstream_default_port_with_tls(ctx: CheckContext) -> Iterable[Hit]:
    """Servers without a port in a group that is reached by TLS: TLS is used for port 80."""
    for upstream in ctx.model.upstreams("http"):
        tls = [each for each in ctx.model.passes_to(upstream) if each.target.tls]
        bare = [peer for peer in upstream.peers if peer.lacks_port] if tls else []
        if bare:
            yield Hit(
                peer_place(bare[0]),
                f"{tls[0].scheme}:// is used for {listed([peer.text for peer in bare])} without a port: the default port is 80",
                bare[0].directive,
                related=(
                    ("used here", whole(tls[0].directive)),
                    *related_peers("also here", bare[1:]),
                ),
                help="Write the port, usually :443.",
                make_fix=partial(_with_tls_port, upstream, ctx.model),
            )


def _with_tls_port(upstream: Upstream, model: Model) -> Edits:
    """Port 443 for servers without one, where every pass to the group speaks TLS."""
    if not all(each.scheme in ("https", "grpcs") for each in model.passes_to(upstream)):
        return None
    return tuple(
        edits.behind_text(peer.directive, peer.directive.args[0], f":{443}")
        for peer in upstream.peers
        if peer.lacks_port
    )


def scheme_port_mismatch(ctx: CheckContext) -> Iterable[Hit]:
    """TLS to a port for plain HTTP, or the reverse."""
    for each in ctx.model.passes:
        if each.family == "stream":
            yield from _stream(ctx, each)
        if each.family != "http" or each.protocol != "proxy" or ends_here(ctx.model, each):
            continue  # what is spoken between two ends of one configuration is known
        yield from _not_http(each)
        if each.scheme not in ("http", "https"):
            continue
        if each.upstream is None and each.target.explicit_port and each.port is not None:
            yield from _single(each, each.port)
    for upstream in ctx.model.upstreams("http"):
        yield from _group(ctx, upstream)


def _not_http(each: Pass) -> Iterator[Hit]:
    """HTTP to the port of a database, a broker or the like. Among other ports it is a number like any other."""
    for target in each.targets:
        peers = target.upstream.peers if target.upstream is not None else ()
        ports = {peer.address.port if peer.address else None for peer in peers} or {target.port}
        port = ports.pop() if len(ports) == 1 else None
        if port is None or port not in NOT_HTTP:
            continue
        yield Hit(
            arg(each.directive, each.directive.args[0]),
            f"HTTP is sent to port {port}, which is usually for {NOT_HTTP[port]}",
            each.directive,
            why=f"{NOT_HTTP[port]} is another protocol: nginx cannot read the response, and every request fails with 502.",
            related=(("the upstream", group_place(target.upstream)),) if target.upstream is not None else (),
            help="Use a stream server for it, or correct the port.",
        )
        return


def _stream(ctx: CheckContext, each: Pass) -> Iterator[Hit]:
    """TLS of ``proxy_ssl`` to a port for plain HTTP."""
    if not ctx.model.flag(each.scope, "proxy_ssl", False) or ends_here(ctx.model, each):
        return
    for target in each.targets:
        ports = _ports(target.upstream) if target.upstream is not None else {target.port}
        port = ports.pop() if len(ports) == 1 else None
        if port is not None and port in _PLAIN_PORTS:
            yield Hit(
                arg(each.directive, each.directive.args[0]),
                f"TLS (proxy_ssl) is sent to port {port}, which is usually for plain HTTP",
                each.directive,
                related=tuple(
                    ("because of this directive", whole(node))
                    for node in ctx.model.effective(each.scope, "proxy_ssl")
                ),
                severity=None if _PLAIN_PORTS[port] else Severity.INFO,
                help="Correct the port, or delete proxy_ssl on.",
            )
            return


def _single(each: Pass, port: int) -> Iterator[Hit]:
    wrong = (_TLS_PORTS if each.scheme == "http" else _PLAIN_PORTS).get(port)
    if wrong is None:
        return
    yield Hit(
        arg(each.directive, each.directive.args[0]),
        f"{each.scheme}:// is used for port {port}, which is usually for {'TLS' if each.scheme == 'http' else 'plain HTTP'}",
        each.directive,
        severity=None if wrong else Severity.INFO,
        help=f"Write {'https' if each.scheme == 'http' else 'http'}://, or correct the port.",
        make_fix=partial(_with_tls, each),
    )


def _with_tls(each: Pass) -> Edits:
    """``https://`` to servers on port 443. The other way round TLS would be given up: that is not proposed."""
    if each.scheme != "http":
        return None
    ports = {each.port} if each.upstream is None else _ports(each.upstream)
    if ports != {_TLS_PORT}:
        return None
    token = each.directive.args[0]
    text = edits.written(each.directive, token)
    return (edits.exchanged(each.directive, token, re.sub("http://", "https://", text, count=1, flags=re.I)),)


def _all_with_tls(passes: list[Pass]) -> Edits:
    """All passes to a group, of which one is reported."""
    return tuple(dict.fromkeys(edit for each in passes for edit in _with_tls(each) or ()))


def _ports(upstream: Upstream) -> set[int | None]:
    return {peer.address.port if peer.address is not None else None for peer in upstream.peers}


def _group(ctx: CheckContext, upstream: Upstream) -> Iterator[Hit]:
    written = [peer for peer in upstream.peers if peer.address and peer.address.explicit_port]
    ports = {peer.address.port for peer in written if peer.address}
    if ports.isdisjoint(_USUAL):
        return
    if {80, 443} <= ports:
        odd = next(peer for peer in written if peer.address and peer.address.port == 443)
        yield Hit(
            peer_place(odd),
            f'"{upstream.name}" has servers on port 80 and on port 443: one scheme cannot fit both',
            odd.directive,
            related=related_peers(
                "port 80", [peer for peer in written if peer.address and peer.address.port == 80]
            ),
            help="Use one kind of port in an upstream.",
            why="A pass uses one scheme for all servers of the upstream: requests to the others fail.",
        )
        return
    if len(ports) != 1 or len(written) != len(upstream.peers):
        return
    port = ports.pop()
    for each in ctx.model.passes_to(upstream):
        if each.protocol != "proxy" or each.scheme not in ("http", "https") or ends_here(ctx.model, each):
            continue
        wrong = (_TLS_PORTS if each.scheme == "http" else _PLAIN_PORTS).get(port or 0)
        if wrong is not None:
            yield Hit(
                arg(each.directive, each.directive.args[0]),
                f'{each.scheme}:// is used for "{upstream.name}", whose servers listen on port {port}, usually for '
                + ("TLS" if each.scheme == "http" else "plain HTTP"),
                each.directive,
                related=(("the upstream", group_place(upstream)),),
                severity=None if wrong else Severity.INFO,
                help=f"Write {'https' if each.scheme == 'http' else 'http'}://, or correct the ports.",
                make_fix=partial(
                    _all_with_tls,
                    [other for other in ctx.model.passes_to(upstream) if other.protocol == "proxy"],
                ),
            )
            return


def upstream_server_has_scheme(ctx: CheckContext) -> Iterable[Hit]:
    """A URL where only an address is possible."""
    for upstream in ctx.model.all_upstreams:
        for peer in upstream.peers:
            if has_url(peer):
                token = peer.directive.args[0]
                bare = token.split("://", 1)[-1].split("/", 1)[0]
                yield Hit(
                    arg(peer.directive, token),
                    f'a server of an upstream must be an address, not a URL: "{token}"',
                    peer.directive,
                    help=f'Write "{bare}"; scheme and path belong in the pass directive.',
                    make_fix=partial(_address_only, upstream, peer),
                )


def _address_only(upstream: Upstream, peer: Peer) -> Fix | None:
    """The address alone. Safe where scheme and path say nothing that the address does not say, too."""
    token = peer.directive.args[0]
    match = compiled(_URL).match(token)
    scheme = match[1].lower() if match else ""
    rest = token[match.end() :] if match else str(token)
    bare, lost = _address_part(rest)
    if token.filled or lost.strip("/").isdigit():  # a network, as in 10.0.0.0/24, is no server
        return None
    try:
        address = parse_address(bare)
    except ValueError:
        return None
    if scheme in ("https", "grpcs") and address.port is None and address.kind != "unix":
        bare = f"{bare}:443"
    plain = "tcp" if upstream.family == "stream" else "http"
    safe = Applicability.SAFE if scheme == plain and lost in ("", "/") else Applicability.UNSAFE
    return Fix("Write only the address", safe, (edits.exchanged(peer.directive, token, bare),))


def _address_part(rest: str) -> tuple[str, str]:
    """Address and path of what follows the scheme."""
    if rest.lower().startswith("unix:"):
        path, colon, uri = rest[5:].partition(":")
        return rest[:5] + path, uri if colon else ""
    host, slash, path = rest.partition("/")
    return host, slash + path


def has_url(peer: Peer) -> bool:
    """Whether the address is written as a URL, or with a path."""
    text = peer.text.lower()
    return peer.address is None and not text.startswith("unix:") and "/" in text and bool(peer.directive.args)
