"""Texts of the page: what comes from outside is made visible and escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from nginxaudit.report.sanitize import visible

if TYPE_CHECKING:
    from nginxaudit.engine.rules.rule import Rule
    from nginxaudit.finding import Finding


def text(words: str) -> str:
    """``words`` as text of the page."""
    return escape(visible(words))


def name(finding: Finding, rule: Rule | None) -> str:
    """Slug and number of the rule of ``finding``, a link to its page."""
    words = f"{text(finding.rule)} ({text(finding.id)})"
    return f'<a href="{escape(rule.url)}">{words}</a>' if rule is not None and rule.url else words
