"""The graph for Mermaid, which GitHub draws in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from nginxaudit.report.sanitize import visible
from nginxaudit.views.graph.build import LAYERS, Node
from nginxaudit.views.graph.colors import CLASSES, DASHED, fill_of, line_of, name_of
from nginxaudit.views.graph.view import GraphView

_SHAPES = {
    "socket": ("([", "])"),
    "server": ("[", "]"),
    "location": ("(", ")"),
    "upstream": ("{{", "}}"),
    "peer": ("[(", ")]"),
}


def write(views: Sequence[GraphView], stream: TextIO) -> None:
    """Write one ``flowchart`` with a subgraph per configuration."""
    stream.write("flowchart LR\n")
    for number, view in enumerate(views):
        ids = {
            node.id: f"n{number}_{at}"
            for at, node in enumerate(node for kind in LAYERS for node in view.layer(kind))
        }
        if len(views) > 1:
            stream.write(f"  subgraph g{number}[{_quoted(plain(view.name))}]\n")
        for kind in LAYERS:
            for node in view.layer(kind):
                stream.write(f"  {ids[node.id]}{_shaped(view, node)}:::{name_of(node)}\n")
        for tail, head, edge in view.graph.edges(data="data"):
            arrow = "-.->" if edge.how in DASHED else "-->"
            label = f"|{_quoted(plain(edge.condition))}|" if edge.condition else ""
            stream.write(f"  {ids[tail]} {arrow}{label} {ids[head]}\n")
        if len(views) > 1:
            stream.write("  end\n")
    for name in CLASSES:
        dashed = ",stroke-dasharray:4" if name == "down" else ""
        stream.write(f"  classDef {name} fill:{fill_of(name)},stroke:{line_of(name)},color:#1f2933{dashed}\n")


def _shaped(view: GraphView, node: Node) -> str:
    start, end = _SHAPES[node.kind]
    words = [node.label, node.role if node.kind == "peer" and node.role != "direct" else node.detail]
    count = len(view.findings.get(node.id, ()))
    if count:
        words.append(f"⚠ {count} finding{'s' if count > 1 else ''}")
    return f"{start}{_quoted('<br/>'.join(plain(word) for word in words if word))}{end}"


def plain(text: str) -> str:
    """``text`` without what Mermaid or the page around it would act on: entities, tags, ``%%{init}%%``."""
    text = visible(text).replace("#", "#35;").replace("&", "#amp;").replace("%", "#37;")
    return text.replace("<", "#lt;").replace(">", "#gt;").replace('"', "#quot;").replace("`", "#96;")


def _quoted(text: str) -> str:
    return f'"{text}"'
