"""Rules in SARIF: what GitHub shows beside an alert, taken from the rule's page."""

from __future__ import annotations

import re
from typing import Any

import sarif_om as om

from nginxaudit.engine.rules.rule import CheckTable, PageError, Rule
from nginxaudit.finding import Finding, Severity
from nginxaudit.report.pages import harmless_markdown, links
from nginxaudit.report.sanitize import visible
from nginxaudit.report.sarif_taxonomies import relationships

MESSAGE_ID = "finding"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_PROBLEM = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
# Bands of GitHub: from 7.0 high, from 4.0 medium, below low.
_SECURITY = {Severity.ERROR: "8.0", Severity.WARNING: "5.5", Severity.INFO: "3.0"}
_SECURITY_CATEGORIES = frozenset({"security", "tls"})
_EXAMPLES = r"^## Examples\n.*?(?=^## |\Z)"  # the page has them: a log is read by machines first
# What readers of GitHub must have, as short as it can be: the name says what it is about, the page the rest.
_ELSEWHERE = om.MultiformatMessageString(text="Online.")
_MOST_WORDS = 1024  # GitHub cuts a description there


def descriptor(rule: Rule, *, with_page: bool) -> om.ReportingDescriptor:
    """``rule``, ``with_page`` as its help; without, all texts are where the page is.

    A log lists hundreds of rules, and with their pages it would have a megabyte for a few results.
    """
    if not with_page:
        return _short(rule)
    body = _body(rule)
    return om.ReportingDescriptor(
        id=rule.id,
        name=_name(rule),
        short_description=om.MultiformatMessageString(text=sentence(rule.title)),
        full_description=om.MultiformatMessageString(
            text=" ".join(sentence(text) for text in (rule.what, rule.why) if text)[:_MOST_WORDS]
            or sentence(rule.title)
        ),
        message_strings={MESSAGE_ID: om.MultiformatMessageString(text="Found: '{0}'.")},
        help=om.MultiformatMessageString(text=sentence(rule.remedy or rule.title), markdown=body),
        help_uri=rule.url or None,
        relationships=relationships(rule.slug),
        default_configuration=om.ReportingConfiguration(level=LEVELS[rule.severity]),
        properties=_properties(rule),
    )


def _short(rule: Rule) -> om.ReportingDescriptor:
    return om.ReportingDescriptor(
        id=rule.id,
        name=_name(rule),
        short_description=_ELSEWHERE,
        full_description=_ELSEWHERE,
        help=_ELSEWHERE,
        help_uri=rule.url or None,
    )


def _name(rule: Rule) -> str:
    return "".join(word[:1].upper() + word[1:] for word in rule.slug.split("-"))


def stand_in(finding: Finding) -> Rule:
    """A rule for a finding whose rule did not run, such as an input that could not be read."""
    title = finding.rule.replace("-", " ").capitalize()
    return Rule(
        id=finding.id,
        slug=finding.rule,
        category=finding.category,
        title=title,
        severity=finding.severity,
        confidence=finding.confidence,
        check=CheckTable(),
        what="",
        why="",
        remedy=finding.help,
        path="",
    )


def sentence(text: str) -> str:
    """``text`` as SARIF viewers want messages: with a period, and without links of strangers or what is invisible."""
    return _ended(visible(text.strip()))


def _ended(text: str) -> str:
    """``text`` with a period. ``[word](target)`` in a message is a link; a configuration must not be able to place one."""
    text = re.sub(r"\[(?=[^\[\]]*\]\()", r"\\[", text)
    return text if text.endswith(".") else f"{text.rstrip('.:;')}."


def _properties(rule: Rule) -> dict[str, Any]:
    is_security = rule.category in _SECURITY_CATEGORIES
    tags = [rule.category, *rule.tags, *(f"external/cwe/cwe-{number:03d}" for number in rule.cwe)]
    if is_security:
        tags.append("security")  # GitHub ignores the security severity without it
    properties: dict[str, Any] = {
        "tags": list(dict.fromkeys(tags)),
        "precision": rule.confidence.label,
        "problem.severity": _PROBLEM[rule.severity],
    }
    if is_security:
        properties["security-severity"] = _SECURITY[rule.severity]
    return properties


def _body(rule: Rule) -> str:
    """The page below its title, with its references; in a word what to do where there is no page."""
    from nginxaudit.engine.rules.pages import body_of

    try:
        body = body_of(rule).strip()
    except PageError:  # the page is gone, or the rule never had one: the report is worth more
        body = "\n\n".join(text for text in (rule.what, rule.why, rule.remedy) if text) or rule.title
    body = re.sub(_EXAMPLES, "", re.sub(r"\A# .*\n+", "", body), flags=re.MULTILINE | re.DOTALL).rstrip()
    if rule.own:
        body = harmless_markdown(body)
    references = links(rule)
    if references:
        body += "\n\n## References\n\n" + "\n".join(f"- <{link}>" for link in references)
    return body
