"""Targets of pass directives: the scheme, and a port after the name of an upstream."""

from __future__ import annotations

from nginxaudit import edits
from nginxaudit.hit import Edits
from nginxaudit.model import Model
from nginxaudit.model.passes import Pass
from nginxaudit.model.peer import HTTP_PORT
from nginxaudit.nginx.patterns import compiled
from nginxaudit.syntax.tree import Directive

_ADDRESS = r"(?:unix:/.+|\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d+))?(?:/.*)?"
_PORT = r"[\"']?(?:[A-Za-z]+://)?[^:/?\"'$]+(:\d+)"
_TLS_PORTS = ("443", "8443")


def with_scheme(each: Pass, node: Directive) -> Edits:
    """The scheme that the directive knows; ``https`` where the port says so."""
    token = node.args[0]
    text = _with_scheme(node.name, token) if each.family == "http" else None
    quote = edits.written(node, token)[0] if token.quoted else ""
    return (edits.exchanged(node, token, f"{quote}{text}{quote}"),) if text else None


def _with_scheme(name: str, target: str) -> str | None:
    scheme, mark, rest = target.partition("://")
    if name == "proxy_pass":
        found = compiled(_ADDRESS).fullmatch(target)
        if mark or found is None:
            return None
        return ("https://" if found[1] in _TLS_PORTS else "http://") + target
    if not mark or scheme.lower() not in ("http", "https"):
        return None
    if name != "grpc_pass":
        return rest.removesuffix("/")
    if "/" in rest:
        return None  # a path has no place there
    return ("grpc://" if scheme.lower() == "http" else "grpcs://") + rest


def without_port(model: Model, each: Pass, node: Directive) -> Edits:
    """The port deleted after the name of an upstream, and written in its servers if none of them has one."""
    token, upstream = node.args[0], each.upstream
    found = compiled(_PORT).match(edits.written(node, token))
    if found is None or upstream is None or each.port is None:
        return None
    deleted = edits.replaced(node.source, token.start + found.start(1), token.start + found.end(1), "")
    bare = [peer for peer in upstream.peers if peer.lacks_port]
    if not bare or each.port == HTTP_PORT:
        return (deleted,)
    ports = {(other.target.explicit_port, other.port) for other in model.passes_to(upstream)}
    if len(bare) < len(upstream.peers) or len(ports) > 1:
        return None  # it is not known which port is meant
    servers = [peer.directive for peer in bare]
    return (deleted, *(edits.behind_text(server, server.args[0], f":{each.port}") for server in servers))
