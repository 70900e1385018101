"""The page: counts, filters, findings by file with excerpts, and the picture of the upstreams.

It loads nothing and runs nothing but its own script: its content security policy says so. Every text that
comes from outside is made visible and escaped.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, TextIO

from nginxaudit.engine.rules.standards import cited
from nginxaudit.finding import Severity
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.coverage import crash_line, gaps, verdict
from nginxaudit.report.excerpt import Frame, Row, excerpt
from nginxaudit.report.sanitize import visible

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.engine.rules.rule import Rule
    from nginxaudit.finding import Finding, Span

_FRAME = Frame(160, "utf-8", "…")
_MOST_NODES = 600  # of a picture: beyond, nobody finds anything in it
_MOST_RELATED = 20  # related places of a finding, each with its lines


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write the whole page."""
    shown = report.findings if options.show_suppressed else report.active
    stream.write(_head(report))
    stream.write(_filters(shown))
    stream.write("<main>")
    stream.writelines(_gaps(report))
    stream.writelines(_files(report, shown))
    stream.writelines(_pictures(options))
    stream.write(f"</main>\n<script>{_asset('script.js')}</script>\n</body></html>\n")


@cache
def _asset(name: str) -> str:
    return files("nginxaudit.report.html").joinpath(name).read_text(encoding="utf-8")


def _head(report: Report) -> str:
    digest = base64.b64encode(sha256(_asset("script.js").encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>nginxaudit: {_text(verdict(report))}</title><style>{_asset('style.css')}</style></head>\n<body>"
        f"<header><h1>nginxaudit</h1><p>{_text(verdict(report))}</p><p>{_text(report.facts.sentence)}</p></header>\n"
    )


def _filters(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.severity for finding in findings)
    boxes = "".join(
        f'<label><input type="checkbox" name="severity" value="{each.label}" checked>'
        f'<span class="badge {each.label}">{counts[each]} {each.label}</span></label>'
        for each in sorted(Severity, reverse=True)
    )
    return (
        f"<form>{boxes}"
        f"{_choice('category', 'All categories', sorted({finding.category for finding in findings}))}"
        f"{_choice('file', 'All files', sorted({finding.span.file for finding in findings}))}"
        '<input type="search" name="text" placeholder="Search" aria-label="Search">'
        '<span id="count" class="facts"></span></form>\n'
    )


def _choice(name: str, everything: str, values: Sequence[str]) -> str:
    options = "".join(f'<option value="{_text(value)}">{_text(value)}</option>' for value in values)
    return (
        f'<select name="{name}" aria-label="{name}"><option value="">{everything}</option>{options}</select>'
    )


def _gaps(report: Report) -> Iterator[str]:
    missing = [*map(str, gaps(report)), *map(crash_line, report.crashes)]
    if missing:
        yield '<div class="gaps"><strong>Not analysed</strong><ul>'
        yield from (f"<li>{_text(text)}</li>" for text in missing)
        yield "</ul></div>\n"
    if report.remarks:
        yield '<div class="remarks"><strong>Notes</strong><ul>'
        yield from (f"<li>{_text(text)}</li>" for text in report.remarks)
        yield "</ul></div>\n"


def _files(report: Report, findings: Sequence[Finding]) -> Iterator[str]:
    rules = {rule.slug: rule for rule in report.rules}
    for file, group in groupby(findings, key=lambda finding: finding.span.file):
        yield f'<section class="file"><h2>{_text(file)}</h2>\n'
        for finding in group:
            yield from _card(report, finding, rules.get(finding.rule))
        yield "</section>\n"


def _card(report: Report, finding: Finding, rule: Rule | None) -> Iterator[str]:
    label, span = finding.severity.label, finding.span
    kind = f"{label} suppressed" if finding.suppressed else label
    yield (
        f'<article class="{kind}" data-severity="{label}" data-category="{_text(finding.category)}" '
        f'data-file="{_text(span.file)}"><h3><span class="badge {label}">{label}</span> {_text(finding.claim)}</h3>'
        f'<p class="facts">{_name(finding, rule)} · line {span.line}, column {span.column} · '
        f"{finding.confidence.label} confidence{' · nginx refuses to load this' if finding.rejected_by_nginx else ''}"
        f"{_suppression(finding)}</p>"
    )
    if controls := cited(finding.rule):
        yield f'<p class="facts standards">{_text(" · ".join(controls))}</p>'
    yield _excerpt(report, span)
    for related in finding.related[:_MOST_RELATED]:
        yield f'<p class="facts">{_text(related.message)}: {_text(f"{related.span.file}:{related.span.line}")}</p>'
        yield _excerpt(report, related.span, context=False)
    if len(finding.related) > _MOST_RELATED:
        yield f'<p class="facts">and {len(finding.related) - _MOST_RELATED:,} more places</p>'
    if rule is not None and rule.why:
        yield f"<p><strong>Why</strong> {_text(rule.why)}</p>"
    remedy = finding.help or (rule.remedy if rule is not None else "")
    if remedy:
        yield f"<p><strong>Fix</strong> {_text(remedy)}</p>"
    if finding.witness is not None:
        yield f"<p><strong>Try</strong> <code>{_text(finding.witness.command)}</code></p>"
    yield "</article>\n"


def _name(finding: Finding, rule: Rule | None) -> str:
    name = f"{_text(finding.rule)} ({_text(finding.id)})"
    return f'<a href="{escape(rule.url)}">{name}</a>' if rule is not None and rule.url else name


def _suppression(finding: Finding) -> str:
    suppressed = finding.suppressed
    return f" · suppressed ({suppressed.kind}): {_text(suppressed.reason)}" if suppressed else ""


def _excerpt(report: Report, span: Span, *, context: bool = True) -> str:
    rows = excerpt(report.sources.get(span.file), span, _FRAME, context=context)
    return f"<pre>{chr(10).join(map(_row, rows))}</pre>" if rows else ""


def _row(row: Row) -> str:
    number = f'<span class="number">{row.number or "":>5} </span>'
    if row.mark is None:
        return number + escape(row.text)
    first, last = row.mark
    before, marked, after = row.text[:first], row.text[first:last], row.text[last:]
    return f"{number}{escape(before)}<mark>{escape(marked)}</mark>{escape(after)}"


def _pictures(options: RenderOptions) -> Iterator[str]:
    views = [view for view in options.views if view.graph.number_of_nodes() <= _MOST_NODES]
    if views:
        from nginxaudit.views.graph.svg import picture

        yield f'<h2>The way of a request</h2><div class="picture">{picture(views)}</div>\n'
    if len(views) < len(options.views):
        yield (
            f'<p class="facts">A configuration with more than {_MOST_NODES} nodes is not drawn here: '
            "nginxaudit graph --upstream NAME shows a part of it.</p>\n"
        )


def _text(text: str) -> str:
    return escape(visible(text))
