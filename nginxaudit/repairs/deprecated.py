"""Repairs of what newer versions of nginx write otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from nginxaudit import edits
from nginxaudit.edits import fill
from nginxaudit.finding import Applicability, Edit, Fix
from nginxaudit.hit import Hit
from nginxaudit.model import Model
from nginxaudit.model.listen import Listen
from nginxaudit.model.server import Server
from nginxaudit.model.sockets import Socket
from nginxaudit.nginx import NEWEST, directives

Edits = tuple[Edit, ...] | None

_TLS_PORTS = frozenset({443, 465, 853, 993, 995, 8443})
_PLAIN_PORTS = frozenset({25, 80, 110, 143, 587, 8080})
_MANY = 20  # servers of a group from which on only its first finding carries the fix: it is the same for all
_RENAMED = {
    "connections": "worker_connections {args}",
    "fastcgi_header_buffer_size": "fastcgi_buffer_size {args}",
    "fastcgi_redirect_errors": "fastcgi_intercept_errors {args}",
    "limit_zone": "limit_conn_zone {2} zone={1}:{3}",
    "open_file_cache_retest": "open_file_cache_valid {args}",
    "optimize_server_names": "server_name_in_redirect {args}",
    "proxy_downstream_buffer": "proxy_buffer_size {args}",
    "proxy_header_buffer_size": "proxy_buffer_size {args}",
    "proxy_redirect_errors": "proxy_intercept_errors {args}",
    "proxy_upstream_buffer": "proxy_buffer_size {args}",
}
"""Old names that nginx took for the new ones as long as it knew them (``ngx_conf_deprecated_t``)."""

_FIXES: WeakKeyDictionary[Model, dict[Server, tuple[Server, Fix | None]]] = WeakKeyDictionary()


# -- http2


def http2_directive(hit: Hit, model: Model) -> Fix | None:
    """``http2 on;`` in every server of the sockets, and the parameter out of all of their listens.

    Half of it would switch HTTP/2 off for some servers, or leave nginx warning.
    """
    server = model.server_of(hit.node) if hit.node is not None else None
    if server is None:
        return None
    known = _FIXES.setdefault(model, {})
    if server not in known:
        servers, sockets = _group(server, model)
        fix = _http2_fix(servers, sockets, model)
        known.update((each, (server, fix if len(servers) < _MANY else None)) for each in servers)
        known[server] = server, fix
    return known[server][1]


def _group(start: Server, model: Model) -> tuple[list[Server], list[Socket]]:
    """The servers that share sockets with HTTP/2, directly or by way of others, and these sockets."""
    by_server: dict[Server, list[Socket]] = {}
    for socket in model.sockets("http").values():
        if any(listen.http2 for _, listen in socket.members):
            for server in socket.servers:
                by_server.setdefault(server, []).append(socket)
    servers = {start: None}
    sockets: dict[Socket, None] = {}
    waiting = [start]
    while waiting:
        for socket in by_server.get(waiting.pop(), ()):
            if socket not in sockets:
                sockets[socket] = None
                waiting += [each for each in socket.servers if each not in servers]
                servers.update(dict.fromkeys(socket.servers))
    return list(servers), list(sockets)


def _http2_fix(servers: list[Server], sockets: list[Socket], model: Model) -> Fix | None:
    switches = {server: model.flag(server.directive, "http2") for server in servers}
    if False in switches.values():  # the socket speaks it and the server says no: which one is meant?
        return None
    made = {edit for socket in sockets for edit in _without_http2(socket)}
    made.update(_switch_on(server) for server, switch in switches.items() if not switch)
    return Fix(
        "Write http2 on",
        Applicability.SAFE if _is_complete(servers, sockets, model) else Applicability.UNSAFE,
        tuple(sorted(made, key=lambda edit: (edit.file, edit.start, edit.end))),
    )


def _is_complete(servers: list[Server], sockets: list[Socket], model: Model) -> bool:
    """Whether HTTP/2 is spoken in the same places as before, by a target that surely has the directive.

    The newest version is also what stands for a version that nobody has told.
    """
    if model.target.version == NEWEST or model.config.fragment or model.unread_files("http"):
        return False
    keys = {socket.key for socket in sockets}
    return all(
        not server.listen_unknown
        and all(listen.key in keys or listen.transport == "udp" for listen in server.listens)
        for server in servers
    )


def _without_http2(socket: Socket) -> Iterator[Edit]:
    for _, listen in socket.members:
        node = listen.directive
        for token in node.args[1:] if node is not None else ():
            if node is not None and token == "http2":
                yield edits.without(node, token)


def _switch_on(server: Server) -> Edit:
    block = server.directive
    listens = [node for node in block.named("listen") if node.source is block.source]
    return edits.after(listens[-1], "http2 on;") if listens else edits.first_in(block, "http2 on;")


# -- ssl


def ssl_parameter(hit: Hit, model: Model) -> Fix | None:
    """``ssl off`` is deleted; for ``ssl on`` the parameter goes to the listens that are for TLS."""
    node = hit.node
    if (
        node is None
        or node.parent is None
        or [str(word).lower() for word in node.args] not in (["on"], ["off"])
    ):
        return None
    if node.args[0].lower() == "off":
        inherited = any(block.first("ssl") for block in node.parent.ancestors())
        return None if inherited else _unsafe("Delete ssl off", [edits.deleted(node)])
    server = model.server_of(node)
    if server is None or server.directive is not node.parent or server.listen_unknown:
        return None
    listens = _for_tls(server)
    shared = model.sockets(server.family)
    if not listens or any(_speaks_plainly(shared[each.key], model) for each in listens):
        return None
    targets = [each.directive for each in listens if not each.ssl]
    made = {edits.appended(target, "ssl") for target in targets if target is not None}
    return _unsafe("Write ssl in listen" if made else "Delete ssl on", [*made, edits.deleted(node)])


def _for_tls(server: Server) -> list[Listen]:
    """Sockets that are for TLS by their port; all of them if none is known for speaking without."""
    written = [listen for listen in server.listens if not listen.implicit and listen.transport == "tcp"]
    chosen = [listen for listen in written if listen.ssl or listen.port in _TLS_PORTS]
    if chosen:
        return chosen
    return [] if any(listen.port in _PLAIN_PORTS for listen in written) else written


def _speaks_plainly(socket: Socket, model: Model) -> bool:
    """Whether another server of the socket knows nothing of TLS: the parameter would hold for it, too."""
    return any(
        not listen.ssl and model.flag(server.directive, "ssl") is not True
        for server, listen in socket.members
    )


# -- names of old


def replacement(hit: Hit, model: Model) -> Fix | None:
    """The new name where it means the same; what has no effect is deleted."""
    node = hit.node
    if node is None or node.is_block or not edits.on_one_line(node):
        return None
    facts = directives(node.name)
    template = _RENAMED.get(node.name)
    if template is not None:
        text = fill(template, hit, node)
        name = text.partition(" ")[0]
        if "{" in text or (node.parent is not None and node.parent.first(name) and name != "limit_conn_zone"):
            return None
        return _unsafe(f"Write {name}", [edits.rewritten(node, text)])
    if facts and all(fact.ignored(model.target) for fact in facts):
        return _unsafe(f"Delete {node.name}", [edits.deleted(node)])
    return None


def _unsafe(title: str, made: list[Edit]) -> Fix:
    ordered = sorted(made, key=lambda edit: (edit.file, edit.start, edit.end))
    return Fix(title, Applicability.UNSAFE, tuple(ordered))
