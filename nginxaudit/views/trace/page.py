"""Traces as a page: the steps of each request, a frame for every assumption, the outcomes. No network, no script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TextIO

from nginxaudit.report.sanitize import visible
from nginxaudit.views.trace.view import ShownOutcome, TraceView, Way
from nginxaudit.views.trace.words import summary

_STYLE = """
body { margin: 0 auto; max-width: 1000px; padding: 24px; font: 14px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: #1f2933; }
h1 { font-size: 18px; } h2 { font-size: 15px; margin-top: 32px; overflow-wrap: anywhere; }
ol { list-style: none; margin: 0; padding: 0; }
li.step { margin: 6px 0; padding: 8px 12px; border: 1px solid #e1e5ea; border-radius: 6px; background: #fafbfc; overflow-wrap: anywhere; }
li.step b { display: inline-block; min-width: 96px; color: #2f6fc4; }
.place { float: right; color: #7b8794; font-size: 12px; margin-left: 12px; }
.why { display: block; color: #52606d; margin-top: 3px; } .why ul { margin: 2px 0 0; padding-left: 18px; }
section { margin: 8px 0 8px 14px; padding-left: 14px; border-left: 3px solid #c9b458; }
section > p { margin: 0; font-weight: 600; color: #7a6514; }
.outcome { margin: 6px 0; padding: 8px 12px; border-radius: 6px; background: #e3f4e8; border: 1px solid #9ed0b0; overflow-wrap: anywhere; }
.outcome.bad { background: #fdecea; border-color: #f0b4ae; } .outcome.open { background: #fff6e0; border-color: #e6c877; }
.outcome dl { display: grid; grid-template-columns: max-content 1fr; gap: 1px 12px; margin: 6px 0 0; color: #52606d; font-size: 13px; }
.outcome dd { margin: 0; }
"""


def write(views: Iterable[TraceView], stream: TextIO) -> None:
    """Write one page with all requests."""
    stream.write(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Requests – nginxaudit</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>What happens to a request</h1>\n"
    )
    for view in views:
        stream.write(f"<h2>{_text(view.title)}</h2>\n")
        stream.writelines(_way(view.way))
    stream.write("</body></html>\n")


def _text(text: str) -> str:
    return escape(visible(text))


def _way(way: Way) -> Iterator[str]:
    yield "<ol>\n"
    for step in way.steps:
        others = "".join(f"<li>other: {_text(other)}</li>" for other in step.others)
        why = f'<span class="why">{_text(step.why)}{f"<ul>{others}</ul>" if others else ""}</span>'
        yield (
            f'<li class="step"><span class="place">{_text(step.place)}</span><b>{escape(step.phase)}</b> '
            f"{_text(step.text)}{why if step.why or others else ''}</li>\n"
        )
    yield "</ol>\n"
    for each in way.ways:
        yield f"<section><p>if {_text(each.assumption)}</p>\n"
        yield from _way(each)
        yield "</section>\n"
    if way.outcome is not None:
        yield _outcome(way.outcome)


def _outcome(outcome: ShownOutcome) -> str:
    kind = " open" if outcome.status is None else " bad" if outcome.status >= 400 else ""
    rows = [
        ("server", f"{outcome.server_name} {outcome.server or ''}"),
        ("location", f"{outcome.location_name} {outcome.location or ''}"),
    ]
    rows += [(f"sent {name}", text) for name, text in outcome.upstream_headers.items()]
    rows += list(outcome.headers.items())
    data = "".join(f"<dt>{_text(name)}</dt><dd>{_text(text)}</dd>" for name, text in rows if text.strip())
    return f'<div class="outcome{kind}"><strong>{_text(summary(outcome))}</strong><dl>{data}</dl></div>\n'
