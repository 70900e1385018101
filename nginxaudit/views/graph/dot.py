"""The graph for Graphviz."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from nginxaudit.report.sanitize import visible
from nginxaudit.views.graph.build import LAYERS
from nginxaudit.views.graph.colors import DASHED, fill, line
from nginxaudit.views.graph.view import GraphView


def write(views: Sequence[GraphView], stream: TextIO) -> None:
    """Write one ``digraph`` with a cluster per configuration."""
    stream.write(
        'digraph nginx {\n  rankdir=LR;\n  node [shape=box style="rounded,filled" fontname="Helvetica" fontsize=11];\n'
    )
    stream.write('  edge [fontname="Helvetica" fontsize=9 color="#888888"];\n')
    for number, view in enumerate(views):
        stream.write(f"  subgraph cluster_{number} {{\n    label={_quoted(view.name)};\n")
        for kind in LAYERS:
            for node in view.layer(kind):
                label = "\n".join(filter(None, (node.label, node.role if kind == "peer" else node.detail)))
                stream.write(
                    f"    {_id(number, node.id)} [label={_quoted(label)} fillcolor={_quoted(fill(node))} "
                    f"color={_quoted(line(node))}{' penwidth=2.5' if view.findings.get(node.id) else ''}];\n"
                )
        for tail, head, edge in view.graph.edges(data="data"):
            style = " style=dashed" if edge.how in DASHED else ""
            label = f" label={_quoted(edge.condition)}" if edge.condition else ""
            stream.write(
                f"    {_id(number, tail)} -> {_id(number, head)} [tooltip={_quoted(edge.how)}{label}{style}];\n"
            )
        stream.write("  }\n")
    stream.write("}\n")


def _id(number: int, name: str) -> str:
    return _quoted(f"{number}/{name}")


def _quoted(text: str) -> str:
    escaped = (
        "\n".join(map(visible, text.split("\n")))
        .replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("\n", "\\n")
    )
    return f'"{escaped}"'
