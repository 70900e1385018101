"""What an auditor reads first: what was judged, by what, when, what was not; then the findings by severity and by rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from nginxaudit import __version__
from nginxaudit.engine.rules.standards import cited
from nginxaudit.finding import Severity
from nginxaudit.report.base import RenderOptions
from nginxaudit.report.coverage import NOUNS, counted, crash_line, gaps, is_complete, verdict
from nginxaudit.report.html.words import name, text
from nginxaudit.report.masked import veiled

if TYPE_CHECKING:
    from nginxaudit.engine.results.report import FileStatus, Report
    from nginxaudit.engine.rules.rule import Rule
    from nginxaudit.finding import Finding

_MOST_FILES = 40  # of the scope, before it is folded


def front(
    report: Report, findings: Sequence[Finding], anchors: Sequence[str], options: RenderOptions
) -> Iterator[str]:
    """The title page: ``anchors`` are the names of ``findings`` within the page."""
    yield '<section class="front">'
    yield from _about(report, options)
    yield from _missing(report)
    yield from _severities(findings)
    yield from _rules(report, findings, anchors)
    yield from _scope(report)
    yield "</section>\n"


def _about(report: Report, options: RenderOptions) -> Iterator[str]:
    suppressed = len(report.findings) - len(report.active)
    rows = {
        "Date": options.date,
        "Tool": f"nginxaudit {__version__}, {counted(len(report.rules), 'rule')}",
        "Facts": report.facts.sentence,
        "Command": veiled(options.command),
        "Target": report.target,
        "Configurations": ", ".join(report.roots),
        "Suppressed": counted(suppressed, "finding") if suppressed else "",
        "Baseline": report.baseline or "",
    }
    yield '<dl class="about">'
    for term, words in rows.items():
        if words:
            body = f"<code>{text(words)}</code>" if term == "Command" else text(words)
            yield f"<div><dt>{term}</dt><dd>{body}</dd></div>"
    yield "</dl>\n"


def _missing(report: Report) -> Iterator[str]:
    """What was not analysed is said even where that is nothing."""
    missing = [*map(str, gaps(report)), *map(crash_line, report.crashes)]
    if missing:
        yield from _list("gaps", "Not analysed", missing)
    elif is_complete(report):
        templates = any(file.template for file in report.files)
        aside = "; templates were judged in part" if templates else ""
        yield f'<p class="facts">Not analysed: none of the files that were read{aside}.</p>\n'
    else:
        yield f'<p class="facts">{text(verdict(report))}.</p>\n'
    if report.remarks:
        yield from _list("remarks", "Notes", report.remarks)


def _list(kind: str, title: str, items: Sequence[str]) -> Iterator[str]:
    yield f'<div class="{kind}"><strong>{title}</strong><ul>'
    yield from (f"<li>{text(each)}</li>" for each in items)
    yield "</ul></div>\n"


def _severities(findings: Sequence[Finding]) -> Iterator[str]:
    counts = Counter(finding.severity for finding in findings)
    yield '<h2 id="summary">Summary</h2><p class="counts">'
    for severity in sorted(Severity, reverse=True):
        count = counts[severity]
        words = counted(count, *NOUNS[severity])
        badge = f'<span class="badge {severity.label}">{words}</span>'
        yield f'<a href="#{severity.label}s">{badge}</a> ' if count else f"{badge} "
    yield "</p>\n"


def _rules(report: Report, findings: Sequence[Finding], anchors: Sequence[str]) -> Iterator[str]:
    """One line for each rule that found something, in the order of the findings."""
    first: dict[str, tuple[Finding, str]] = {}
    for finding, anchor in zip(findings, anchors, strict=True):
        first.setdefault(finding.rule, (finding, anchor))
    if not first:
        return
    rules: Mapping[str, Rule] = {rule.slug: rule for rule in report.rules}
    counts = Counter(finding.rule for finding in findings)
    heads = "".join(f"<th>{head}</th>" for head in ("Findings", "Severity", "Rule", "CWE", "Standards"))
    yield f'<div class="wide"><table class="rules"><thead><tr>{heads}</tr></thead><tbody>'
    for slug, (finding, anchor) in first.items():
        rule = rules.get(slug)
        weaknesses = ", ".join(f"CWE-{number}" for number in rule.cwe) if rule else ""
        label = finding.severity.label
        yield (
            f'<tr><td><a href="#{anchor}">{counts[slug]:,}</a></td><td><span class="badge {label}">{label}</span></td>'
            f"<td>{name(finding, rule)}<br>{text(rule.title) if rule else ''}</td>"
            f"<td>{weaknesses}</td><td>{'<br>'.join(map(text, cited(slug)))}</td></tr>\n"
        )
    yield "</tbody></table></div>\n"


def _scope(report: Report) -> Iterator[str]:
    if not report.files:
        return
    opened = " open" if len(report.files) <= _MOST_FILES else ""
    yield f"<details{opened}><summary>Scope: {counted(len(report.files), 'file')}</summary>"
    yield '<div class="wide"><table class="scope"><thead><tr><th>File</th><th>Analysed</th><th>SHA-256</th></tr></thead><tbody>'
    for file in report.files:
        source = report.sources.get(file.path)
        digest = sha256(source.text.encode("utf-8", "surrogateescape")).hexdigest() if source else "not known"
        yield f"<tr><td>{text(file.path)}</td><td>{_analysed(file)}</td><td><code>{digest}</code></td></tr>\n"
    yield "</tbody></table></div></details>\n"


def _analysed(file: FileStatus) -> str:
    if not file.analysed:
        return "<strong>no</strong>"
    return "in part (template)" if file.template else "yes"
