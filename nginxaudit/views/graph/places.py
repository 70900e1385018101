"""Where findings belong in the graph: the node in whose text they are, by offsets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

from nginxaudit.finding import Finding, Span
from nginxaudit.nginx.names import BALANCED

if TYPE_CHECKING:
    from networkx import DiGraph

    from nginxaudit.model import Model
    from nginxaudit.syntax.tree import Directive

T = TypeVar("T")

_BLOCKS = ("server", "upstream")
_INNER = (
    "listen",
    "location",
    "primary",
    "backup",
    "down",
)  # edges whose text is that of the node they lead to


class Places(Generic[T]):
    """Stretches of texts, which may lie in each other, and what each of them is."""

    def __init__(self, stretches: Iterable[tuple[str, int, int, T]]) -> None:
        self._files: dict[
            str, list[tuple[int, int, int, T]]
        ] = {}  # start, end, number of the one around, what
        for file, start, end, what in sorted(stretches, key=lambda each: (each[0], each[1], -each[2])):
            known = self._files.setdefault(file, [])
            around = len(known) - 1
            while around >= 0 and known[around][1] < start:
                around = known[around][2]
            known.append((start, end, around, what))

    def at(self, span: Span) -> T | None:
        """The innermost one around the beginning of ``span``."""
        known = self._files.get(span.file, [])
        number = bisect_right(known, span.start, key=lambda each: each[0]) - 1
        while number >= 0 and known[number][1] < span.start:
            number = known[number][2]
        return known[number][3] if number >= 0 else None


def block_of(node: Directive, what: T) -> tuple[str, int, int, T]:
    """The stretch of a directive with its block."""
    return node.source.path, node.start, node.statement.close or node.statement.end, what


def findings_by_node(graph: DiGraph, findings: Iterable[Finding], model: Model) -> dict[str, list[Finding]]:
    """Findings at the nodes in whose directive, or in the directive of whose onward edge, they are; else at the block around.

    What is about several nodes is at each of them: those of the same kind that explain it, and the blocks around
    what has one cause.
    """
    heads, blocks = _heads(graph), _blocks(graph, model)
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        for name in _names(finding, graph, heads, blocks):
            found.setdefault(name, []).append(finding)
    return found


def _names(finding: Finding, graph: DiGraph, heads: Places[str], blocks: Places[str]) -> dict[str, None]:
    """Nodes at which ``finding`` is shown."""
    own = heads.at(finding.span)
    kinds = [kind for kind in _BLOCKS if own is None or kind == graph.nodes[own]["data"].kind]
    names = {} if own is None else {own: None}
    for related in finding.related:
        name = heads.at(related.span)
        if name is not None and graph.nodes[name]["data"].kind in kinds:
            names[name] = None
    if finding.cause or finding.reached or not names:
        for span in (finding.span, *finding.reached):
            name = blocks.at(span)
            if name is not None:
                names[name] = None
    return names


def _heads(graph: DiGraph) -> Places[str]:
    stretches = [
        (node.file, node.start, node.end, name) for name, node in graph.nodes(data="data") if node.file
    ]
    stretches += [
        (edge.file, edge.start, edge.end, tail)
        for tail, _, edge in graph.edges(data="data")
        if edge.file and edge.how not in _INNER
    ]
    return Places(stretches)


def _blocks(graph: DiGraph, model: Model) -> Places[str]:
    """Servers, locations and upstreams with all that is in them."""
    kinds = (*_BLOCKS, "location")
    names = {
        (node.file, node.start): name
        for name, node in graph.nodes(data="data")
        if node.kind in kinds and node.file
    }
    directives = [server.directive for family in BALANCED for server in model.servers(family)]
    directives += [location.directive for location in model.locations]
    directives += [upstream.directive for upstream in model.all_upstreams]
    return Places(
        block_of(node, names[node.source.path, node.start])
        for node in directives
        if (node.source.path, node.start) in names
    )
