"""What every format of the graph shows: the graph itself, and the findings at their nodes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from nginxaudit.finding import Finding, Severity, Span
from nginxaudit.nginx.names import BALANCED
from nginxaudit.report.masked import veiled, veiled_fields
from nginxaudit.views.graph.build import LAYERS, Edge, Node, build_graph, focus, nodes

if TYPE_CHECKING:
    from networkx import DiGraph

    from nginxaudit.model import Model


_BLOCKS = ("server", "upstream")


class GraphView(Struct, frozen=True):
    """One configuration. ``graph`` is the part of it that is shown."""

    name: str
    graph: DiGraph
    findings: dict[str, list[Finding]] = field(default_factory=dict)

    def data(self, name: str) -> Node:
        """The node called ``name``."""
        node: Node = self.graph.nodes[name]["data"]
        return node

    def edge(self, tail: str, head: str) -> Edge:
        """The edge between two nodes."""
        edge: Edge = self.graph.edges[tail, head]["data"]
        return edge

    def layer(self, kind: str) -> list[Node]:
        """Nodes of one kind, in the order of the configuration."""
        return nodes(self.graph, kind)

    def forward(self, name: str) -> list[str]:
        """Nodes that ``name`` leads to, without the way back into this nginx."""
        at = LAYERS.index(self.data(name).kind)
        return [head for head in self.graph.successors(name) if LAYERS.index(self.data(head).kind) > at]

    def worst(self, name: str) -> Severity | None:
        """Highest severity of the findings at a node."""
        return max((finding.severity for finding in self.findings.get(name, ())), default=None)


def views_of(
    models: Iterable[Model], findings: Sequence[Finding], upstream: str = "", server: str = ""
) -> tuple[GraphView, ...]:
    """Graphs of configurations with what was found at their nodes; those without any node are left out.

    With ``upstream`` or ``server`` only what has to do with groups or servers of that name is in them.
    """
    views = []
    for model in models:
        shown = build_graph(model)
        if upstream or server:
            shown = focus(shown, upstream, server)
        if shown.number_of_nodes():
            found = findings_by_node(shown, findings, _blocks(shown, model))
            views.append(_veiled(GraphView(model.config.main.path, shown, found)))
    return tuple(views)


def _veiled(view: GraphView) -> GraphView:
    """``view`` without secrets: addresses with passwords, locations and conditions with tokens."""
    from networkx import relabel_nodes

    names: dict[str, str] = {}
    taken: dict[str, int] = {}
    for name in view.graph:
        new = veiled(name)
        taken[new] = number = taken.get(new, 0) + 1
        names[name] = new if number == 1 else f"{new} ({number})"
    changed = any(old != new for old, new in names.items())
    graph = relabel_nodes(view.graph, names) if changed else view.graph
    for name, node in graph.nodes(data="data"):
        graph.nodes[name]["data"] = replace(veiled_fields(node), id=name)
    for tail, head, edge in graph.edges(data="data"):
        graph.edges[tail, head]["data"] = veiled_fields(edge)
    return GraphView(view.name, graph, {names[name]: found for name, found in view.findings.items()})


_Places = dict[str, list[tuple[int, int, str]]]
"""By file: from where to where the text of a node is, in order."""


def findings_by_node(
    graph: DiGraph, findings: Iterable[Finding], blocks: _Places | None = None
) -> dict[str, list[Finding]]:
    """Findings at the nodes in whose directive, or in the directive of whose onward edge, they are.

    What is about several nodes is at each of them: those of the same kind that explain it, and the ``blocks`` around
    what has one cause.
    """
    heads = _heads(graph)
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        for name in _names(finding, graph, heads, blocks or {}):
            found.setdefault(name, []).append(finding)
    return found


def _names(finding: Finding, graph: DiGraph, heads: _Places, blocks: _Places) -> dict[str, None]:
    """Nodes at which ``finding`` is shown."""
    own = _at(heads, finding.span)
    kinds = [kind for kind in _BLOCKS if own is None or kind == graph.nodes[own]["data"].kind]
    names = {} if own is None else {own: None}
    for related in finding.related:
        name = _at(heads, related.span)
        if name is not None and graph.nodes[name]["data"].kind in kinds:
            names[name] = None
    if finding.cause or finding.reached:
        for span in (finding.span, *finding.reached):
            name = _at(blocks, span)
            if name is not None:
                names[name] = None
    return names


def _heads(graph: DiGraph) -> _Places:
    places: _Places = {}
    for name, node in graph.nodes(data="data"):
        if node.file:
            places.setdefault(node.file, []).append((node.start, node.end, name))
    for tail, _, edge in graph.edges(data="data"):
        if edge.file and edge.how not in ("listen", "location", "primary", "backup", "down"):
            places.setdefault(edge.file, []).append((edge.start, edge.end, tail))
    return _in_order(places)


def _blocks(graph: DiGraph, model: Model) -> _Places:
    """Servers and upstreams with all that is in them."""
    names = {
        (node.file, node.start): name
        for name, node in graph.nodes(data="data")
        if node.kind in _BLOCKS and node.file
    }
    directives = [server.directive for family in BALANCED for server in model.servers(family)]
    directives += [upstream.directive for upstream in model.all_upstreams]
    places: _Places = {}
    for node in directives:
        name = names.get((node.source.path, node.start))
        if name is not None:
            end = node.statement.close or node.statement.end
            places.setdefault(node.source.path, []).append((node.start, end, name))
    return _in_order(places)


def _in_order(places: _Places) -> _Places:
    for file in places.values():
        file.sort()
    return places


def _at(places: _Places, span: Span) -> str | None:
    """The node whose text is at the beginning of ``span``."""
    file, offset = places.get(span.file, []), span.start
    number = bisect_right(file, offset, key=lambda place: place[0]) - 1
    if number < 0 or offset > file[number][1]:
        return None
    return file[number][2]
