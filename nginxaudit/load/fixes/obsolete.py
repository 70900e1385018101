"""Directives that newer versions of nginx write otherwise, or not at all."""

from __future__ import annotations

from nginxaudit import edits
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.model import Model
from nginxaudit.model.listen import Listen
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Socket
from nginxaudit.nginx import directives
from nginxaudit.syntax.tree import Directive

_TLS_PORTS = frozenset({443, 465, 853, 993, 995, 8443})
_PLAIN_PORTS = frozenset({25, 80, 110, 143, 587, 8080})
_RENAMED = {
    "connections": "worker_connections",
    "fastcgi_header_buffer_size": "fastcgi_buffer_size",
    "fastcgi_redirect_errors": "fastcgi_intercept_errors",
    "open_file_cache_retest": "open_file_cache_valid",
    "optimize_server_names": "server_name_in_redirect",
    "proxy_downstream_buffer": "proxy_buffer_size",
    "proxy_header_buffer_size": "proxy_buffer_size",
    "proxy_redirect_errors": "proxy_intercept_errors",
    "proxy_upstream_buffer": "proxy_buffer_size",
}
"""Old names that nginx took for the new ones as long as it knew them (``ngx_conf_deprecated_t``)."""


# -- ssl


def ssl_switch(model: Model, node: Directive) -> Fix | None:
    """``ssl off`` is deleted; for ``ssl on`` the parameter goes to the listens that are for TLS."""
    if node.parent is None or [word.lower() for word in node.args] not in (["on"], ["off"]):
        return None
    if node.args[0].lower() == "off":
        inherited = any(block.first("ssl") for block in node.parent.ancestors())
        return None if inherited else _unsafe("Delete ssl off", edits.deleted(node))
    server = model.server_of(node)
    if server is None or server.directive is not node.parent or server.listen_unknown:
        return None
    listens = _for_tls(server)
    shared = model.sockets(server.family)
    if not listens or any(_speaks_plainly(shared[each.key], model) for each in listens):
        return None
    lines = [each.directive for each in listens if not each.ssl]
    made = dict.fromkeys(edits.appended(line, "ssl") for line in lines if line is not None)
    return _unsafe("Write ssl in listen" if made else "Delete ssl on", *made, edits.deleted(node))


def _for_tls(server: Server) -> list[Listen]:
    """Sockets that are for TLS by their port; all of them if none is known for speaking without."""
    written = [listen for listen in server.listens if not listen.implicit and listen.transport == "tcp"]
    chosen = [listen for listen in written if listen.ssl or listen.port in _TLS_PORTS]
    if chosen:
        return chosen
    return [] if any(listen.port in _PLAIN_PORTS for listen in written) else written


def _speaks_plainly(socket: Socket, model: Model) -> bool:
    """Whether another server of the socket has no TLS: the parameter would hold for it, too."""
    return any(
        not listen.ssl and model.flag(server.directive, "ssl") is not True
        for server, listen in socket.members
    )


# -- names of old


def replaced(model: Model, node: Directive) -> Fix | None:
    """The new name where it means the same; what has no effect is deleted."""
    if node.is_block or not edits.on_one_line(node):
        return None
    words = [edits.written(node, token) for token in node.args]
    if node.name == "limit_zone":
        if len(words) != 3:
            return None
        name, key, size = words
        text = f"limit_conn_zone {key} zone={name}:{size}"
        return _unsafe("Write limit_conn_zone", edits.rewritten(node, text))
    new = _RENAMED.get(node.name)
    if new is not None:
        there = node.parent is not None and node.parent.first(new)
        return None if there else _unsafe(f"Write {new}", edits.rewritten(node, " ".join([new, *words])))
    if all(fact.ignored(model.target) for fact in directives(node.name)):
        return _unsafe(f"Delete {node.name}", edits.deleted(node))
    return None


def _unsafe(title: str, *made: Edit) -> Fix:
    return Fix(title, Applicability.UNSAFE, made)
