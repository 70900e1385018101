"""The graph as a tree, for terminals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich.console import Group
from rich.text import Text
from rich.tree import Tree

from nginxaudit.report.paint import console_for
from nginxaudit.report.sanitize import visible
from nginxaudit.views.graph.build import Node, loops, shared_peers, single_points, unused_upstreams
from nginxaudit.views.graph.view import GraphView

_STYLES = {
    "socket": "bold blue", "server": "bold", "location": "", "upstream": "bold magenta", "primary": "green",
    "backup": "yellow", "down": "dim strike", "direct": "cyan", "unknown": "italic",
}  # fmt: skip
_WIDTH = 120


def write(views: Sequence[GraphView], stream: TextIO, color: bool | None) -> None:
    """Write one tree per configuration, and what the graph tells beside it."""
    console = console_for(stream, color, _WIDTH)
    for number, view in enumerate(views):
        if number:
            console.print()
        console.print(_tree(view))
        console.print(Group(*_remarks(view)))


def _tree(view: GraphView) -> Tree:
    root = Tree(Text(visible(view.name), "bold underline"))
    seen: set[str] = set()
    for node in view.layer("socket"):
        _grow(view, root.add(_label(view, node.id, "")), node.id, seen)
    for kind in ("server", "upstream"):
        for node in view.layer(kind):
            if view.graph.in_degree(node.id) == 0:
                _grow(
                    view,
                    root.add(_label(view, node.id, "unused" if kind == "upstream" else "")),
                    node.id,
                    seen,
                )
    return root


def _grow(view: GraphView, tree: Tree, name: str, seen: set[str]) -> None:
    for head in view.forward(name):
        edge = view.edge(name, head)
        note = edge.condition if view.data(head).kind != "location" else ""
        if view.data(head).kind in ("server", "upstream") and head in seen and view.forward(head):
            branch = tree.add(_label(view, head, note))
            branch.add(Text("(shown above)", "dim"))
            continue
        seen.add(head)
        _grow(view, tree.add(_label(view, head, note)), head, seen)


def _label(view: GraphView, name: str, note: str) -> Text:
    node = view.data(name)
    text = Text(visible(node.label), _STYLES.get(node.role or node.kind, ""))
    words = [node.role if node.kind == "peer" and node.role != "direct" else "", node.detail, note]
    rest = " · ".join(visible(word) for word in words if word)
    if rest:
        text.append(f"  {rest}", "dim")
    for finding in view.findings.get(name, ()):
        style = {"ERROR": "bold red", "WARNING": "bold yellow"}.get(finding.severity.name, "bold cyan")
        text.append(f"  [{finding.rule}]", style)
    return text


def _remarks(view: GraphView) -> list[Text]:
    lines = [
        *(Text(f"unused: upstream {visible(node.label)}", "dim") for node in unused_upstreams(view.graph)),
        *(
            Text(f"shared: {visible(node.label)} serves {_names(users)}")
            for node, users in shared_peers(view.graph)
        ),
        *(Text(_lost(host, peers, lost), "yellow") for host, peers, lost in single_points(view.graph)),
        *(Text(f"back into this nginx: {_names(way)}", "yellow") for way in loops(view.graph)),
    ]
    return [Text(""), *lines] if lines else []


def _lost(host: str, peers: Sequence[Node], lost: Sequence[Node]) -> str:
    what = "host" if len(peers) > 1 else "server"
    return f"single point of failure: without the {what} {visible(host)} no server is left for {_names(lost)}"


def _names(found: Sequence[Node], most: int = 6) -> str:
    names = [visible(node.label) for node in found]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
