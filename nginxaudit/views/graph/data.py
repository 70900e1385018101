"""The graph as JSON: nodes, edges, and the answers to the questions it was made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

from msgspec.structs import asdict

from nginxaudit.report.strict_json import write as write_json
from nginxaudit.views.graph.build import loops, nodes, shared_peers, single_points, unused_upstreams
from nginxaudit.views.graph.view import GraphView

SCHEMA_VERSION = 1


def write(views: Sequence[GraphView], stream: TextIO) -> None:
    """Write all ``views`` as one document."""
    document = {"schema_version": SCHEMA_VERSION, "configurations": [as_data(view) for view in views]}
    write_json(stream, document, 4)


def as_data(view: GraphView) -> dict[str, Any]:
    """One configuration as plain data."""
    graph = view.graph
    return {
        "name": view.name,
        "nodes": [
            {**asdict(node), "findings": [_finding(each) for each in view.findings.get(node.id, ())]}
            for node in nodes(graph)
        ],
        "edges": [
            {"from": tail, "to": head, **asdict(edge)} for tail, head, edge in graph.edges(data="data")
        ],
        "unused_upstreams": [node.id for node in unused_upstreams(graph)],
        "shared_peers": [
            {"peer": node.id, "users": [user.id for user in users]} for node, users in shared_peers(graph)
        ],
        "single_points_of_failure": [
            {"host": host, "peers": [peer.id for peer in peers], "lost": [node.id for node in lost]}
            for host, peers, lost in single_points(graph)
        ],
        "loops": [[node.id for node in way] for way in loops(graph)],
    }


def _finding(finding: Any) -> dict[str, str]:
    return {"rule": finding.rule, "severity": finding.severity.label, "message": finding.claim}
