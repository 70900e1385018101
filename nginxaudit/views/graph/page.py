"""The graph as a page: the picture, a search, and what is behind a node when it is clicked. No network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any, TextIO

from nginxaudit.report.sanitize import visible
from nginxaudit.views.graph.data import as_data
from nginxaudit.views.graph.svg import picture
from nginxaudit.views.graph.view import GraphView

_STYLE = """
body { margin: 0; font: 14px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: #1f2933; background: #fafbfc; }
header { position: sticky; top: 0; display: flex; gap: 16px; align-items: center; padding: 10px 24px; background: #fff; border-bottom: 1px solid #e1e5ea; }
header h1 { font-size: 16px; margin: 0; }
input { font: inherit; padding: 6px 10px; width: 260px; border: 1px solid #b8c0ca; border-radius: 6px; }
main { display: flex; align-items: flex-start; }
#picture { flex: 1; overflow: auto; }
aside { position: sticky; top: 54px; width: 270px; padding: 16px 20px; max-height: calc(100vh - 90px); overflow: auto; }
aside h2 { font-size: 15px; margin: 0 0 4px; overflow-wrap: anywhere; }
aside p { margin: 4px 0; color: #52606d; overflow-wrap: anywhere; }
aside li { margin: 6px 0; }
.error { color: #c62828; } .warning { color: #b45f06; } .info { color: #2f6fc4; }
.node { cursor: pointer; } .node:focus { outline: none; } .node:focus rect { stroke-width: 3; }
.faded { opacity: 0.13; }
"""
_SCRIPT = """
const views = JSON.parse(document.getElementById('data').textContent);
const nodes = new Map(), next = new Map(), before = new Map();
for (const view of views) {
  for (const node of view.nodes) nodes.set(node.id, node);
  for (const edge of view.edges) {
    if (!next.has(edge.from)) next.set(edge.from, []);
    if (!before.has(edge.to)) before.set(edge.to, []);
    next.get(edge.from).push(edge); before.get(edge.to).push(edge);
  }
}
const drawn = [...document.querySelectorAll('.node')], lines = [...document.querySelectorAll('.edge')];
const aside = document.querySelector('aside'), field = document.querySelector('input'), start = aside.innerHTML;
function reach(id, edges, side) {
  const found = new Set([id]), waiting = [id];
  while (waiting.length) for (const edge of edges.get(waiting.pop()) || [])
    if (edge.how !== 'this nginx' && !found.has(edge[side])) { found.add(edge[side]); waiting.push(edge[side]); }
  return found;
}
function show(ids) {
  for (const each of drawn) each.classList.toggle('faded', ids !== null && !ids.has(each.dataset.id));
  for (const each of lines) each.classList.toggle('faded', ids !== null && !(ids.has(each.dataset.from) && ids.has(each.dataset.to)));
}
function text(tag, words, name) {
  const element = document.createElement(tag);
  element.textContent = words; if (name) element.className = name;
  return element;
}
function tell(id) {
  const node = nodes.get(id);
  aside.replaceChildren(text('h2', node.label), text('p', [node.kind, node.role, node.detail].filter(Boolean).join(' · ')));
  if (node.file) aside.append(text('p', node.file + ':' + node.line));
  const list = document.createElement('ul');
  for (const finding of node.findings) list.append(text('li', finding.severity + ': ' + finding.message, finding.severity));
  for (const edge of next.get(id) || []) list.append(text('li', '→ ' + nodes.get(edge.to).label + ' (' + [edge.how, edge.condition].filter(Boolean).join(', ') + ')'));
  for (const edge of before.get(id) || []) list.append(text('li', '← ' + nodes.get(edge.from).label));
  aside.append(list);
}
function choose(id) { show(new Set([...reach(id, next, 'to'), ...reach(id, before, 'from')])); tell(id); }
function clear() { show(null); aside.innerHTML = start; }
for (const each of drawn) {
  each.setAttribute('tabindex', '0');
  each.addEventListener('click', event => { event.stopPropagation(); field.value = ''; choose(each.dataset.id); });
  each.addEventListener('keydown', event => { if (event.key === 'Enter') choose(each.dataset.id); });
}
document.getElementById('picture').addEventListener('click', clear);
document.addEventListener('keydown', event => { if (event.key === 'Escape') { field.value = ''; clear(); } });
field.addEventListener('input', () => {
  const words = field.value.trim().toLowerCase();
  if (!words) { clear(); return; }
  const found = new Set();
  for (const node of nodes.values()) if ((node.label + ' ' + node.detail).toLowerCase().includes(words)) {
    for (const id of reach(node.id, next, 'to')) found.add(id);
    for (const id of reach(node.id, before, 'from')) found.add(id);
  }
  show(found);
});
"""


def write(views: Sequence[GraphView], stream: TextIO) -> None:
    """Write one page with all configurations."""
    data = json.dumps(_seen([as_data(view) for view in views])).replace(
        "<", "\\u003c"
    )  # nothing in it ends the script
    title = escape(", ".join(visible(view.name) for view in views))
    stream.write(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title} – nginxaudit</title>'
        f"<style>{_STYLE}</style></head>\n<body><header><h1>The way of a request</h1>"
        '<input type="search" placeholder="Server, location, upstream, address …" aria-label="Search"></header>\n'
        f'<main><div id="picture">{picture(views)}</div>'
        "<aside><h2>Click on a box</h2><p>It shows the ways that lead to it and from it, where it is written, and what was found there. "
        "Esc shows everything again.</p></aside></main>\n"
        f'<script type="application/json" id="data">{data}</script>\n<script>{_SCRIPT}</script></body></html>\n'
    )


def _seen(value: Any) -> Any:
    """Data with every text as the picture shows it: names in it are the names there."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return [_seen(each) for each in value]
    return {key: _seen(each) for key, each in value.items()} if isinstance(value, dict) else value
