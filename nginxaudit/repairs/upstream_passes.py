"""A port after the name of an upstream."""

from __future__ import annotations

from nginxaudit import edits
from nginxaudit.hit import Edits, Hit
from nginxaudit.model import Model
from nginxaudit.model.peer import HTTP_PORT
from nginxaudit.nginx.patterns import compiled
from nginxaudit.repairs.common import pass_of

_AUTHORITY = r"[\"']?(?:[A-Za-z]+://)?(?P<host>[^:/?\"'$]+)(?P<port>:\d+)?"


def move_port(hit: Hit, model: Model) -> Edits:
    """The port taken from behind the name of a group, and written in its servers if none of them has one."""
    each = pass_of(hit, model)
    upstream = each.upstream if each is not None else None
    if each is None or upstream is None or each.port is None:
        return None
    token = each.directive.args[0]
    found = compiled(_AUTHORITY).match(edits.written(each.directive, token))
    if found is None or not found["port"]:
        return None
    start, end = token.start + found.start("port"), token.start + found.end("port")
    dropped = edits.replaced(each.directive.source, start, end, "")
    bare = [peer for peer in upstream.peers if peer.lacks_port]
    if not bare or each.port == HTTP_PORT:
        return (dropped,)
    agreed = {(other.target.explicit_port, other.port) for other in model.passes_to(upstream)}
    if len(bare) < len(upstream.peers) or len(agreed) > 1:
        return None  # which port is meant, cannot be told
    return (
        dropped,
        *(edits.behind_text(peer.directive, peer.directive.args[0], f":{each.port}") for peer in bare),
    )
