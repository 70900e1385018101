"""The way of a request as a graph: sockets → servers → locations → upstreams → peers.

networkx is imported when a graph is really asked for. Every node carries a `Node`, every edge an
`Edge` that says by which directive one leads to the other, and under which condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from nginxaudit.model.passes import Pass
from nginxaudit.nginx import Address
from nginxaudit.nginx.names import BALANCED
from nginxaudit.syntax.tree import Directive
from nginxaudit.views.graph.places import Places, block_of

if TYPE_CHECKING:
    from networkx import DiGraph

    from nginxaudit.finding import Span
    from nginxaudit.model.location import Location
    from nginxaudit.model.model import Model
    from nginxaudit.model.peer import Peer
    from nginxaudit.model.server import Server
    from nginxaudit.model.sockets import Socket
    from nginxaudit.model.upstream import Upstream

LAYERS = ("socket", "server", "location", "upstream", "peer")
"""Kinds of nodes in the order in which a request meets them."""


class Node(Struct, frozen=True):
    """One node. ``role`` of a peer is primary, backup, down or direct (no upstream around it).

    ``file`` and ``line`` (1-based) say where it is written; 0 for what nobody wrote. ``start`` and
    ``end`` are the offsets of the directive without its block.
    """

    id: str
    kind: str
    label: str
    family: str
    role: str = ""
    detail: str = ""
    host: str = ""
    file: str = ""
    line: int = 0
    start: int = 0
    end: int = 0


class Edge(Struct, frozen=True):
    """Why one node leads to another: the directive, its place, and the condition (empty: always)."""

    how: str
    file: str = ""
    line: int = 0
    condition: str = ""
    start: int = 0
    end: int = 0


def build_graph(model: Model, marked: Iterable[Span] = ()) -> DiGraph:
    """The graph of one configuration. Nodes are strings; ``data`` of nodes and edges as above.

    Locations without a backend are left out, but for those around places that are ``marked``.
    """
    import networkx

    graph = networkx.DiGraph()
    builder = _Builder(model, graph)
    builder.build()
    builder.mark(marked)
    return graph


class _Builder:
    def __init__(self, model: Model, graph: DiGraph) -> None:
        self._model = model
        self._graph = graph
        self._servers: dict[Directive, str] = {}
        self._locations: dict[Directive, str] = {}
        self._names: dict[tuple[str, str], str] = {}  # nodes of sockets, by family and socket

    def build(self) -> None:
        for family in BALANCED:
            for number, server in enumerate(self._model.servers(family)):
                self._server(server, f"{family}:server:{number}")
            for upstream in self._model.groups(family).values():
                self._upstream(upstream)
        self._sockets()
        for each in self._model.passes:
            self._pass(each)
        self._own_sockets()

    def mark(self, spans: Iterable[Span]) -> None:
        """Add the locations around ``spans``."""
        places = Places(block_of(location.directive, location) for location in self._model.locations)
        for span in spans:
            location = places.at(span)
            if location is not None and location.server is not None:
                self._location(location)

    # -- nodes

    def _add(self, node: Node) -> str:
        if node.id not in self._graph:
            self._graph.add_node(node.id, data=node)
        return node.id

    def _link(self, tail: str, head: str, how: str, directive: Directive | None, condition: str = "") -> None:
        if not self._graph.has_edge(tail, head):
            place = _place(directive)
            self._graph.add_edge(tail, head, data=Edge(how, condition=condition, **place))

    def _server(self, server: Server, name: str) -> None:
        self._servers[server.directive] = name
        place = _place(server.directive)
        names = [each.name for each in server.names if each.kind not in ("empty", "catch-all")]
        label = names[0] if names else ("any name" if server.family == "http" else "stream server")
        more = f"also {', '.join(names[1:4])}" + (" …" if len(names) > 4 else "") if len(names) > 1 else ""
        self._add(Node(name, "server", label, server.family, detail=more, **place))

    def _sockets(self) -> None:
        for family in BALANCED:
            for alike in _alike(self._model.sockets(family).values()):
                socket = alike[0]
                first = socket.members[0][1]
                place = _place(first.directive)
                detail = "TLS" if socket.ssl else ""
                name = f"{family}:socket:{socket.key}"
                self._names.update({(family, str(each.key)): name for each in alike})
                label = ", ".join(str(each.key) for each in alike)
                self._add(Node(name, "socket", label, family, detail=detail, **place))
                for server, listen in socket.members:
                    default = len(socket.servers) > 1 and server is socket.default
                    condition = "default server" if default else ""
                    self._link(name, self._servers[server.directive], "listen", listen.directive, condition)

    def _upstream(self, upstream: Upstream) -> str:
        name = f"{upstream.family}:upstream:{upstream.key}"
        place = _place(upstream.directive)
        chosen = upstream.method_directive
        method = str(chosen.name) if chosen is not None else upstream.method
        detail = ", ".join([method.replace("_", " "), *(["sticky"] if upstream.sticky else [])])
        self._add(Node(name, "upstream", upstream.name, upstream.family, detail=detail, **place))
        for peer in upstream.peers:
            self._link(name, self._peer(peer, upstream), peer_role(peer), peer.directive, _settings(peer))
        return name

    def _peer(self, peer: Peer, upstream: Upstream) -> str:
        place = _place(peer.directive)
        host = "" if peer.address is None or upstream.external else peer.address.host
        name = f"{upstream.family}:peer:{peer.normal_address}"
        role = peer_role(peer)
        known = self._graph.nodes.get(name)
        if known is not None and known["data"].role != "primary" and role == "primary":
            del self._graph.nodes[name]["data"]  # a server that works anywhere is drawn as one that works
            known = None
        label = str(peer.address) if peer.address else peer.text
        node = Node(name, "peer", label, upstream.family, role, host=host, **place)
        if known is None:
            self._graph.add_node(name, data=node)
        return name

    # -- passes

    def _pass(self, each: Pass) -> None:
        tail = self._scope(each)
        condition = _condition(each)
        targets = [(target, condition) for target in (each.target,)]
        if each.target_kind == "variable":
            targets = [(one.target, f"{each.text} is {one.text}") for one in each.candidates]
            if not each.complete:
                name = f"{each.family}:unknown:{each.text}"
                self._add(Node(name, "upstream", each.text, each.family, "unknown", "decided by the request"))
                self._link(tail, name, str(each.directive.name), each.directive, condition)
        for target, when in targets:
            if target.upstream is not None:
                head = f"{each.family}:upstream:{target.upstream.key}"
            elif target.kind in ("address", "hostname", "unix"):
                head = self._direct(each, target.address, target.host)
            else:
                continue
            self._link(tail, head, str(each.directive.name), each.directive, when)

    def _scope(self, each: Pass) -> str:
        """The node that passes: a location, else the server."""
        location = each.location
        if location is None or location.server is None:
            server = each.server
            return (
                self._servers[server.directive]
                if server
                else self._add(Node("fragment", "server", "this file", each.family))
            )
        return self._location(location)

    def _location(self, location: Location) -> str:
        known = self._locations.get(location.directive)
        if known is None:
            assert location.server is not None
            place = _place(location.directive)
            known = f"{location.server.family}:location:{len(self._locations)}"
            self._locations[location.directive] = known
            self._add(Node(known, "location", location.label.removeprefix("location "), "http", **place))
            self._link(self._servers[location.server.directive], known, "location", location.directive)
        return known

    def _direct(self, each: Pass, address: Address | None, host: str) -> str:
        label = str(address) if address else host
        place = _place(each.directive)
        return self._add(
            Node(f"{each.family}:peer:{label}", "peer", label, each.family, "direct", host=host, **place)
        )

    def _own_sockets(self) -> None:
        """Peers that are sockets of this very nginx: the request comes in again."""
        sockets = {
            (key.port, key.host): self._names[family, str(key)]
            for family in BALANCED
            for key in self._model.sockets(family)
            if key.transport == "tcp"
        }
        for name, data in list(self._graph.nodes(data="data")):
            if data is None or data.kind != "peer":
                continue
            host, _, port = data.label.rpartition(":")
            number = int(port) if port.isdigit() else None
            own = sockets.get((number, host))
            if own is None and (host.startswith("127.") or host == "localhost"):
                own = sockets.get((number, "*"))
            if own is not None:
                self._link(name, own, "this nginx", None)


def _alike(sockets: Iterable[Socket]) -> Iterable[list[Socket]]:
    """Sockets with the same servers in the same order, as those of IPv4 and IPv6 mostly are, together."""
    found: dict[tuple[object, ...], list[Socket]] = {}
    for socket in sockets:
        key = (socket.ssl, socket.default, *socket.servers)
        found.setdefault(key, []).append(socket)
    return found.values()


def is_placeholder(address: Address | None) -> bool:
    """An address of 0.0.0.0/8, which stands where code or a template puts the real one."""
    return address is not None and address.kind == "inet" and address.host.startswith("0.")


def peer_role(peer: Peer) -> str:
    """``down``, ``backup`` or ``primary``."""
    if not peer.is_live:
        return "down"
    return "backup" if peer.backup else "primary"


def _settings(peer: Peer) -> str:
    return " ".join(str(each.token) for each in peer.parameters if each.name not in ("backup", "down"))


def _condition(each: Pass) -> str:
    block = each.scope
    if block.inner in ("if-in-location", "if-in-server", "limit_except"):
        return f"{block.name} {' '.join(block.args)}"
    return ""


def _place(directive: Directive | None) -> dict[str, Any]:
    if directive is None:
        return {}
    end = directive.args[-1].end if directive.args else directive.name_end
    start = directive.start
    line = directive.source.position(start)[0]
    return {"file": directive.source.path, "line": line, "start": start, "end": end}


# -- questions


def nodes(graph: DiGraph, kind: str = "") -> list[Node]:
    """Nodes of one kind, or all, in the order of the configuration."""
    return [data for _, data in graph.nodes(data="data") if not kind or data.kind == kind]


def unused_upstreams(graph: DiGraph) -> list[Node]:
    """Groups that nothing leads to."""
    return [node for node in nodes(graph, "upstream") if graph.in_degree(node.id) == 0]


def shared_peers(graph: DiGraph) -> list[tuple[Node, list[Node]]]:
    """Peers that several groups or locations use, with these."""
    found = []
    for node in nodes(graph, "peer"):
        users = [graph.nodes[name]["data"] for name in graph.predecessors(node.id)]
        if len(users) > 1:
            found.append((node, users))
    return found


def loops(graph: DiGraph) -> list[list[Node]]:
    """Ways that lead from a socket of this nginx back to it."""
    import networkx

    parts = networkx.strongly_connected_components(graph)
    return [[graph.nodes[name]["data"] for name in sorted(part)] for part in parts if len(part) > 1]


def hosts(graph: DiGraph) -> dict[str, list[Node]]:
    """Live peers by the other machine they run on, as far as addresses tell."""
    found: dict[str, list[Node]] = {}
    for node in nodes(graph, "peer"):
        if node.role != "down" and _is_other_machine(node.host):
            found.setdefault(node.host, []).append(node)
    return found


def _is_other_machine(host: str) -> bool:
    """Not this one, which takes nginx with it when it fails, and not what is still to be filled in."""
    local = host in ("localhost", "::1") or host.startswith(("127.", "/", "0."))
    return bool(host) and not local and not any(sign in host for sign in "<>{}$@%")


def lost_with(graph: DiGraph, peers: Iterable[Node]) -> list[Node]:
    """Locations and stream servers that have no live server left when ``peers`` are gone."""
    gone = dict.fromkeys(peer.id for peer in peers)  # in order: a set would change with the hash seed
    lost: dict[str, Node] = {}
    groups: list[str] = []
    for name in gone:
        for tail in graph.predecessors(name):
            if graph.nodes[tail]["data"].kind != "upstream":
                lost[tail] = graph.nodes[tail]["data"]
            elif all(
                head in gone or graph.edges[tail, head]["data"].how == "down"
                for head in graph.successors(tail)
            ):
                groups.append(tail)
    for group in groups:
        for tail in graph.predecessors(group):
            lost[tail] = graph.nodes[tail]["data"]
    return list(lost.values())


def single_points(graph: DiGraph) -> Iterator[tuple[str, list[Node], list[Node]]]:
    """Machines whose loss leaves something without a server: host, its peers, what is lost."""
    for host, peers in hosts(graph).items():
        lost = lost_with(graph, peers)
        if lost:
            yield host, peers, lost


def focus(graph: DiGraph, upstream: str = "", server: str = "") -> DiGraph:
    """The part of the graph that has to do with upstreams (a name or a glob) or a server (names without regard to case)."""
    import networkx

    pattern = upstream.lower()
    wanted = set()
    for node in nodes(graph):
        if (upstream and node.kind == "upstream" and fnmatchcase(node.label.lower(), pattern)) or (
            server and node.kind == "server" and server.lower() in f"{node.label} {node.detail}".lower()
        ):
            wanted |= {node.id} | networkx.ancestors(graph, node.id) | networkx.descendants(graph, node.id)
    if upstream:  # what stands beside the group in its servers is not of interest
        groups = {
            node.id for node in nodes(graph, "upstream") if not fnmatchcase(node.label.lower(), pattern)
        }
        wanted -= groups
    return graph.subgraph(wanted)
