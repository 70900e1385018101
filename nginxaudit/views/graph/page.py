"""The graph as a page: the picture, a search, and details of a box when it is clicked. No network."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from typing import Any, TextIO

from nginxaudit.report.sanitize import visible
from nginxaudit.views.graph.data import as_data
from nginxaudit.views.graph.svg import picture
from nginxaudit.views.graph.view import GraphView

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --soft: #52606d; --page: #fafbfc; --card: #fff; --line: #e1e5ea; --error: #c62828; --warning: #b45f06; --info: #2f6fc4; }
* { box-sizing: border-box; }
body { margin: 0; font: 14px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink); background: var(--page); }
header { position: sticky; top: 0; display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; padding: 10px 24px; background: var(--card); border-bottom: 1px solid var(--line); z-index: 1; }
header h1 { font-size: 16px; margin: 0; }
#hits { color: var(--soft); }
input { font: inherit; padding: 6px 10px; width: 260px; color: inherit; background: var(--card); border: 1px solid #8893a0; border-radius: 6px; }
main { display: flex; align-items: flex-start; }
#picture { flex: 1; min-width: 0; overflow: auto; }
#picture svg { display: block; max-width: 100%; min-width: 860px; height: auto; }
aside { position: sticky; top: 54px; flex: none; width: 250px; padding: 16px 20px 16px 12px; max-height: calc(100vh - 90px); overflow: auto; }
aside h2 { font-size: 15px; margin: 0 0 4px; overflow-wrap: anywhere; }
aside p { margin: 4px 0; color: var(--soft); overflow-wrap: anywhere; }
aside ul { padding-left: 18px; } aside li { margin: 6px 0; overflow-wrap: anywhere; }
.error { color: var(--error); } .warning { color: var(--warning); } .info { color: var(--info); }
.node { cursor: pointer; } .node:focus { outline: none; } .node:focus rect { stroke-width: 3; }
.faded { opacity: 0.13; }
@media (max-width: 700px) { main { display: block; } header { padding: 10px 14px; } input { width: 100%; } aside { position: static; width: auto; max-height: none; padding: 14px; } }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6eaee; --soft: #a9b4c0; --page: #14181c; --card: #1d2329; --line: #3a434d; --error: #ff8a80; --warning: #f0b35a; --info: #8ab8f0; }
  #picture svg { filter: invert(0.92) hue-rotate(180deg); }
}
@page { size: landscape; margin: 10mm; }
@media print { header, aside { display: none; } main { display: block; } #picture { overflow: visible; } #picture svg { min-width: 0; max-width: 100%; max-height: 98vh; margin: 0 auto; print-color-adjust: exact; } }
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
const hits = document.getElementById('hits'), aside = document.querySelector('aside'), field = document.querySelector('input'), start = aside.innerHTML;
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
function clear() { hits.textContent = ''; show(null); aside.innerHTML = start; }
for (const each of drawn) {
  each.setAttribute('tabindex', '0');
  each.addEventListener('click', event => { event.stopPropagation(); field.value = ''; choose(each.dataset.id); });
  each.addEventListener('keydown', event => { if (event.key === 'Enter') choose(each.dataset.id); });
}
document.getElementById('picture').addEventListener('click', clear);
document.addEventListener('keydown', event => { if (event.key === 'Escape') { field.value = ''; clear(); } });
field.addEventListener('input', () => {
  const words = field.value.trim().toLowerCase();
  hits.textContent = '';
  if (!words) { clear(); return; }
  let count = 0, first = null;
  const found = new Set();
  for (const node of nodes.values()) if ((node.label + ' ' + node.detail).toLowerCase().includes(words)) {
    count++; first = first || node.id;
    for (const id of reach(node.id, next, 'to')) found.add(id);
    for (const id of reach(node.id, before, 'from')) found.add(id);
  }
  hits.textContent = count ? count + (count === 1 ? ' box' : ' boxes') : 'Nothing is called "' + field.value.trim() + '"';
  show(count ? found : null);
  const box = drawn.find(each => each.dataset.id === first);
  if (box) box.scrollIntoView({ block: 'center', inline: 'nearest' });
});
"""


def write(views: Sequence[GraphView], stream: TextIO, title: str = "") -> None:
    """Write one page with all configurations, under the heading ``title``."""
    data = json.dumps(_seen([as_data(view) for view in views])).replace(
        "<", "\\u003c"
    )  # nothing in it ends the script
    heading = escape(visible(title or "Request flow"))
    name = escape(", ".join(visible(view.name) for view in views))
    stream.write(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{f'{heading}: ' if title else ''}{name} – nginxaudit</title>"
        f"<style>{_STYLE}</style></head>\n<body><header><h1>{heading}</h1>"
        '<input type="search" placeholder="Server, location, upstream, address …" aria-label="Search"><span id="hits" role="status"></span></header>\n'
        f'<main><div id="picture">{picture(views)}</div>'
        "<aside><h2>Click on a box</h2><p>The page then shows what leads to it and from it, its file and line, and its findings. "
        "Esc shows all boxes again.</p></aside></main>\n"
        f'<script type="application/json" id="data">{data}</script>\n<script>{_SCRIPT}</script></body></html>\n'
    )


def _policy() -> str:
    digest = b64encode(sha256(_SCRIPT.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _seen(value: Any) -> Any:
    """Data with every text as the picture shows it: names in it are the names there."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return [_seen(each) for each in value]
    return {key: _seen(each) for key, each in value.items()} if isinstance(value, dict) else value
