"""The page: title page, filters, findings by severity with excerpts, and the picture of the upstreams.

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
from nginxaudit.report.base import RenderOptions, fix_mark, remedy_of, why_of
from nginxaudit.report.coverage import NOUNS, counted, verdict
from nginxaudit.report.excerpt import Frame, Row, excerpt
from nginxaudit.report.html.front import front
from nginxaudit.report.html.words import name, text

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import Report
    from nginxaudit.engine.rules.rule import Rule
    from nginxaudit.finding import Finding, Span

_FRAME = Frame(160, "utf-8", "…")
_MOST_NODES = 600  # of a picture: beyond, nobody finds anything in it
_MOST_RELATED = 20  # related places of a finding, each with its lines


def render(report: Report, stream: TextIO, options: RenderOptions) -> None:
    """Write the whole page, the most severe findings first."""
    shown = sorted(report.findings if options.show_suppressed else report.active, key=_importance)
    anchors = _anchors(shown)
    stream.write(_head(report, options.title))
    stream.write("<main>")
    stream.writelines(front(report, shown, anchors, options))
    stream.write(_filters(shown))
    stream.writelines(_sections(report, shown, anchors))
    stream.writelines(_pictures(options))
    stream.write(f"</main>\n<script>{_asset('script.js')}</script>\n</body></html>\n")


def _importance(finding: Finding) -> tuple[bool, int]:
    """Stable: by file and place within."""
    return finding.suppressed is not None, -finding.severity.rank


def _anchors(findings: Sequence[Finding]) -> list[str]:
    """A name within the page for each finding, the same in the next report: its fingerprint."""
    seen: Counter[str] = Counter()
    names = []
    for finding in findings:
        seen[finding.fingerprint] += 1
        number = seen[finding.fingerprint]
        names.append(f"f-{finding.fingerprint[:16]}{f'-{number}' if number > 1 else ''}")
    return names


@cache
def _asset(file: str) -> str:
    return files("nginxaudit.report.html").joinpath(file).read_text(encoding="utf-8")


def _head(report: Report, title: str) -> str:
    digest = base64.b64encode(sha256(_asset("script.js").encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{text(title or 'nginxaudit')}: {text(verdict(report))}</title><style>{_asset('style.css')}</style></head>\n<body>"
        f"<header><h1>{text(title or 'NGINX configuration audit')}</h1><p>{text(verdict(report))}</p></header>\n"
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
        '<input type="search" name="text" placeholder="Search ( / ), Enter: next" aria-label="Search">'
        '<span id="count" class="facts" role="status"></span></form>\n'
    )


def _choice(field: str, everything: str, values: Sequence[str]) -> str:
    options = "".join(f'<option value="{text(value)}">{text(value)}</option>' for value in values)
    return f'<select name="{field}" aria-label="{field}"><option value="">{everything}</option>{options}</select>'


def _sections(report: Report, findings: Sequence[Finding], anchors: Sequence[str]) -> Iterator[str]:
    rules = {rule.slug: rule for rule in report.rules}
    pairs = zip(findings, anchors, strict=True)
    for (suppressed, _), group in groupby(pairs, key=lambda pair: _importance(pair[0])):
        cards = list(group)
        severity = cards[0][0].severity
        words = counted(len(cards), *NOUNS[severity])
        place = f"suppressed-{severity.label}s" if suppressed else f"{severity.label}s"
        yield f'<section class="group"><h2 id="{place}">{words}{" (suppressed)" if suppressed else ""}</h2>\n'
        for finding, anchor in cards:
            yield from _card(report, finding, rules.get(finding.rule), anchor)
        yield "</section>\n"


def _card(report: Report, finding: Finding, rule: Rule | None, anchor: str) -> Iterator[str]:
    label, span = finding.severity.label, finding.span
    kind = f"{label} suppressed" if finding.suppressed else label
    yield (
        f'<article id="{anchor}" class="{kind}" data-severity="{label}" data-category="{text(finding.category)}" '
        f'data-file="{text(span.file)}"><h3><span class="badge {label}">{label}</span> {text(finding.claim)} '
        f'<a class="anchor" href="#{anchor}" aria-label="link to this finding">#</a></h3>'
        f'<p class="facts">{name(finding, rule)} · {text(span.file)}:{span.line}:{span.column} · '
        f"{finding.confidence.label} confidence{' · nginx refuses to load this' if finding.rejected_by_nginx else ''}"
        f"{_fix(finding)}{_suppression(finding)}</p>"
    )
    weaknesses = [f"CWE-{number}" for number in rule.cwe] if rule is not None else []
    if controls := [*weaknesses, *cited(finding.rule)]:
        yield f'<p class="facts standards">{text(" · ".join(controls))}</p>'
    yield _excerpt(report, span)
    for related in finding.related[:_MOST_RELATED]:
        yield f'<p class="facts">{text(related.message)}: {text(f"{related.span.file}:{related.span.line}")}</p>'
        yield _excerpt(report, related.span, context=False)
    if len(finding.related) > _MOST_RELATED:
        yield f'<p class="facts">and {len(finding.related) - _MOST_RELATED:,} more places</p>'
    if why := why_of(finding, rule):
        yield f"<p><strong>Why</strong> {text(why)}</p>"
    if remedy := remedy_of(finding, rule):
        yield f"<p><strong>Fix</strong> {text(remedy)}</p>"
    if finding.witness is not None:
        yield f"<p><strong>Try</strong> <code>{text(finding.witness.command)}</code></p>"
    yield "</article>\n"


def _fix(finding: Finding) -> str:
    mark = fix_mark(finding)
    option = "--fix" if mark == "[*]" else "--fix --unsafe-fixes"
    return f" · fixable with {option}" if mark else ""


def _suppression(finding: Finding) -> str:
    suppressed = finding.suppressed
    return f" · suppressed ({suppressed.kind}): {text(suppressed.reason)}" if suppressed else ""


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

        yield f'<h2>Request flow</h2><div class="picture" tabindex="0">{picture(views)}</div>\n'
    if len(views) < len(options.views):
        yield (
            f'<p class="facts">A configuration with more than {_MOST_NODES} nodes is not drawn here: '
            "nginxaudit graph --upstream NAME shows a part of it.</p>\n"
        )
