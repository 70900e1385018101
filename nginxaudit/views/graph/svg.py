"""The graph as a picture of its own: SVG without anything from the network, laid out in layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from typing import TextIO

from msgspec import Struct

from nginxaudit.finding import Severity
from nginxaudit.report.sanitize import visible
from nginxaudit.views.graph.build import LAYERS, Node
from nginxaudit.views.graph.colors import CLASSES, SEVERITIES, fill, line
from nginxaudit.views.graph.view import GraphView

_WIDTH, _HEIGHT = 192, 40  # of a node
_GAP_X, _GAP_Y = 62, 16
_TOP = 96  # room for title, legend and the names of the layers
_CHARS = 27
_TITLES = {
    "socket": "Clients arrive",
    "server": "Servers",
    "location": "Locations",
    "upstream": "Upstreams",
    "peer": "Instances",
}
_LEGEND = (
    ("primary", "primary"),
    ("backup", "backup (idle)"),
    ("down", "down"),
    ("direct", "without upstream"),
)


class _Position(Struct, frozen=True):
    x: float
    y: float


def write(views: Sequence[GraphView], stream: TextIO) -> None:
    """Write one picture."""
    stream.write(picture(views))


def picture(views: Sequence[GraphView]) -> str:
    """The configurations below each other."""
    pieces: list[str] = []
    offset, width = 0.0, 0.0
    for view in views:
        body, wide, high = _drawing(view, offset)
        pieces.append(body)
        offset += high
        width = max(width, wide)
    return _document("".join(pieces), width, offset)


def _document(body: str, width: float, height: float) -> str:
    """The document around drawings."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        'font-family="system-ui, -apple-system, Segoe UI, Roboto, sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="#fafbfc"/>\n{body}</svg>\n'
    )


def _drawing(view: GraphView, top: float = 0.0) -> tuple[str, float, float]:
    """The elements of one configuration, and the width and height they take."""
    kinds = [kind for kind in LAYERS if view.layer(kind)]
    places = _layout(view, kinds, top)
    bottom = max((place.y for place in places.values()), default=top + _TOP) + _HEIGHT
    width = 2 * 24 + max(len(kinds), 3) * _WIDTH + (max(len(kinds), 3) - 1) * _GAP_X
    parts = [f'<g transform="translate(0 {top:g})">{_heading(view, kinds)}</g>']
    parts += [
        _edge(view, tail, head, places)
        for tail, head in view.graph.edges
        if tail in places and head in places
    ]
    for kind in kinds:
        nodes = view.layer(kind)
        labels = Counter((node.label, node.detail) for node in nodes)
        parts += [
            _node(view, node, places[node.id], alike=labels[node.label, node.detail] > 1) for node in nodes
        ]
    return "\n".join(parts) + "\n", width, bottom - top + 32


def _layout(view: GraphView, kinds: list[str], top: float) -> dict[str, _Position]:
    """Layers from left to right; every node at the height of what it leads to, without overlaps."""
    order = _visits(view)
    heights: dict[str, float] = {}
    for kind in reversed(kinds):
        names = sorted((node.id for node in view.layer(kind)), key=lambda name: order.get(name, len(order)))
        free = top + _TOP
        for name in names:
            heads = [heights[head] for head in view.forward(name) if head in heights]
            wished = sum(heads) / len(heads) if heads else free
            heights[name] = max(wished, free)
            free = heights[name] + _HEIGHT + _GAP_Y
    columns = {kind: 24 + at * (_WIDTH + _GAP_X) for at, kind in enumerate(kinds)}
    return {name: _Position(columns[view.data(name).kind], y) for name, y in heights.items()}


def _visits(view: GraphView) -> dict[str, int]:
    """Nodes in the order in which a walk from the sockets meets them."""
    order: dict[str, int] = {}
    stack = [node.id for kind in LAYERS for node in view.layer(kind)][::-1]
    while stack:
        name = stack.pop()
        if name not in order:
            order[name] = len(order)
            stack.extend(reversed(view.forward(name)))
    return order


def _heading(view: GraphView, kinds: list[str]) -> str:
    parts = [f'<text x="24" y="30" font-size="17" font-weight="600" fill="#1f2933">{_safe(view.name)}</text>']
    x = 24
    for name, words in _LEGEND:
        color = CLASSES[name]
        parts.append(
            f'<rect x="{x}" y="44" width="14" height="14" rx="3" fill="{color[0]}" stroke="{color[1]}"/>'
            f'<text x="{x + 20}" y="55.5" fill="#52606d">{words}</text>'
        )
        x += 36 + 7 * len(words)
    for severity, color_of in SEVERITIES.items():
        word = severity.lower()
        parts.append(
            f'<circle cx="{x + 7}" cy="51" r="7" fill="{color_of}"/><text x="{x + 20}" y="55.5" fill="#52606d">{word}</text>'
        )
        x += 36 + 7 * len(word)
    for at, kind in enumerate(kinds):
        parts.append(
            f'<text x="{24 + at * (_WIDTH + _GAP_X)}" y="{_TOP - 12}" fill="#7b8794" font-weight="600">{_TITLES[kind]}</text>'
        )
    return "".join(parts)


def _node(view: GraphView, node: Node, place: _Position, *, alike: bool) -> str:
    """A box; one that looks like another of its column says where it is written."""
    dashed = ' stroke-dasharray="4 3"' if node.role in ("down", "unknown") else ""
    ink = "#8a8a8a" if node.role == "down" else "#1f2933"
    detail = node.role if node.kind == "peer" and node.role != "direct" else node.detail
    if alike and node.file:
        detail = _end(f"{node.file}:{node.line}", 31)
    middle = place.y + (17 if detail else 24)
    label, fitted = node.label, ""
    if len(label) > _CHARS:
        if node.kind in ("socket", "peer"):  # addresses are never cut
            fitted = f' textLength="{_WIDTH - 24}" lengthAdjust="spacingAndGlyphs"'
        else:
            label = _short(label)
    lines = [
        f'<text x="{place.x + 12:g}" y="{middle:g}" fill="{ink}" font-weight="500"{fitted}>{_safe(label)}</text>'
    ]
    if detail:
        lines.append(
            f'<text x="{place.x + 12:g}" y="{place.y + 32:g}" fill="#7b8794" font-size="10.5">{_safe(_short(detail, 33))}</text>'
        )
    return (
        f'<g class="node" data-id="{_safe(node.id)}"><title>{_title(view, node)}</title>'
        f'<rect x="{place.x:g}" y="{place.y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="{fill(node)}" '
        f'stroke="{line(node)}" stroke-width="1.4"{dashed}/>{"".join(lines)}{_badge(view, node, place)}</g>'
    )


def _badge(view: GraphView, node: Node, place: _Position) -> str:
    worst = view.worst(node.id)
    if worst is None:
        return ""
    x, y = place.x + _WIDTH - 6, place.y + 4
    color = SEVERITIES[Severity(worst).name]
    return (
        f'<circle cx="{x:g}" cy="{y:g}" r="9" fill="{color}" stroke="#fff" stroke-width="1.5"/>'
        f'<text x="{x:g}" y="{y + 4:g}" text-anchor="middle" font-size="11" font-weight="700" fill="#fff">'
        f"{len(view.findings[node.id])}</text>"
    )


def _title(view: GraphView, node: Node) -> str:
    place = f"{node.file}:{node.line}" if node.file else ""
    said = [f"{finding.severity.label}: {finding.claim}" for finding in view.findings.get(node.id, ())]
    lines = filter(None, [f"{node.kind} {node.label}", node.role, node.detail, place, *said])
    return "\n".join(map(_safe, lines))


def _edge(view: GraphView, tail: str, head: str, places: dict[str, _Position]) -> str:
    edge = view.edge(tail, head)
    start, end = places[tail], places[head]
    forward = start.x < end.x
    x1, y1 = (
        (start.x + _WIDTH, start.y + _HEIGHT / 2) if forward else (start.x + _WIDTH / 2, start.y + _HEIGHT)
    )
    x2, y2 = (end.x, end.y + _HEIGHT / 2) if forward else (end.x + _WIDTH / 2, end.y + _HEIGHT)
    path = "".join(_curve(x1, y1, x2, y2, forward))
    style = {"backup": ("#b97f0a", "6 4"), "down": ("#b5b5b5", "3 4"), "this nginx": ("#c62828", "2 4")}.get(
        edge.how
    )
    color, dashes = style or ("#9aa5b1", "")
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    words = " ".join(filter(None, (edge.how, edge.condition)))
    return (
        f'<g class="edge" data-from="{_safe(tail)}" data-to="{_safe(head)}"><title>{_safe(words)}</title>'
        f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.5"{dashed}/></g>'
    )


def _curve(x1: float, y1: float, x2: float, y2: float, forward: bool) -> Iterator[str]:
    yield f"M{x1:g} {y1:g} "
    if forward:
        bend = (x2 - x1) / 2
        yield f"C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    else:
        low = max(y1, y2) + 40
        yield f"C{x1:g} {low:g} {x2:g} {low:g} {x2:g} {y2:g}"


def _short(text: str, most: int = _CHARS) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _end(text: str, most: int) -> str:
    return text if len(text) <= most else f"…{text[1 - most :]}"


def _safe(text: str) -> str:
    return escape(visible(text))
