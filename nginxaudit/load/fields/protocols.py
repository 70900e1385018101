"""``ssl``, ``http2`` and ``proxy_protocol`` on one socket, of which nginx warns when its ``listen`` lines differ.

``ngx_http_add_addresses`` (src/http/ngx_http.c), ``ngx_stream_add_addresses`` (src/stream/ngx_stream.c).
"""

from __future__ import annotations

from collections.abc import Iterator

from nginxaudit.load.base import LoadState, Mistake, finally_
from nginxaudit.load.fields.warnings import warning
from nginxaudit.model.listen import Listen
from nginxaudit.model.sockets import Socket
from nginxaudit.nginx.since import PROTOCOLS_COMPARED, STREAM_NAMES

_REMEDY = "Write the same protocol options (ssl, http2, proxy_protocol) in every listen of this address."


@finally_
def protocol_options(load: LoadState) -> Iterator[Mistake]:
    """Sockets of http and stream, in the versions that compare them."""
    for family, since in (("http", PROTOCOLS_COMPARED), ("stream", STREAM_NAMES)):
        if load.target.since(since):
            for socket in load.model.sockets(family).values():
                if len({_protocols(each) for _, each in socket.members}) > 1:
                    yield from _redefined(socket)


def _protocols(listen: Listen) -> frozenset[str]:
    return frozenset(name for name in ("ssl", "http2", "proxy_protocol") if name in listen.options)


def _redefined(socket: Socket) -> Iterator[Mistake]:
    """The members in their order, with what nginx remembers between them."""
    (_, first), *others = socket.members
    known, options_set = _protocols(first), bool(first.socket_options)
    expected: frozenset[str] | None = None
    changed = False
    for _, each in others:
        new, sets = _protocols(each), bool(each.socket_options)
        added, removed = new - known, known - new
        if added:
            told = (options_set and not sets) or changed or bool(removed)
        elif removed:
            told = sets or (expected is not None and new != expected)
        else:
            told = (sets and changed) or (expected is not None and new != expected)
        if told and each.directive and first.directive:
            message = f"protocol options redefined for {each}"
            yield warning(each.directive.args[0], message, _REMEDY, each.directive, first.directive)
        expected = known if added else new
        changed = changed or bool(added or removed)
        options_set = options_set or sets
        known = known | new
