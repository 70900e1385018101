"""What every format of the graph shows: the graph itself, and the findings at their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from nginxaudit.finding import Finding, Severity
from nginxaudit.report.masked import veiled, veiled_fields
from nginxaudit.views.graph.build import LAYERS, Edge, Node, build_graph, focus, nodes
from nginxaudit.views.graph.places import findings_by_node

if TYPE_CHECKING:
    from networkx import DiGraph

    from nginxaudit.model import Model


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
        shown = build_graph(model, [span for finding in findings for span in finding.spans])
        if upstream or server:
            shown = focus(shown, upstream, server)
        if shown.number_of_nodes():
            found = findings_by_node(shown, findings, model)
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
