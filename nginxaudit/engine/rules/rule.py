"""A rule as data: what the front matter and the first words of its page say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from nginxaudit.finding import Confidence, Severity


class PageError(ValueError):
    """A rule page that is not well-formed; the message names file and reason."""


class Option(Struct, frozen=True):
    """A setting of one rule: ``type`` is one of integer, number, string, boolean, duration, list."""

    name: str
    type: str
    default: Any
    description: str


class Rule(Struct, frozen=True):
    """One rule. ``path`` is the file of its page; its body is read by `nginxaudit.engine.rules.pages`.

    ``title`` is the first heading, ``what``/``why``/``remedy`` the first sentence of the sections
    *What it does*, *Why it matters* and *How to fix* (plain text, one line each).
    ``check`` and ``repair`` are the front matter's tables of these names.
    """

    id: str
    slug: str
    category: str
    title: str
    severity: Severity
    confidence: Confidence
    what: str
    why: str
    remedy: str
    path: str
    default: bool = True
    rejected_by_nginx: bool = False
    fix: str = "none"
    since: str = "0.1.0"
    edition: str | None = None
    nginx_since: str | None = None
    nginx_until: str | None = None
    tags: tuple[str, ...] = ()
    cwe: tuple[int, ...] = ()
    references: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()  # live tests that prove the claim, as pytest node ids
    check: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[Option, ...] = ()
    repair: Mapping[str, Any] = field(default_factory=dict)
