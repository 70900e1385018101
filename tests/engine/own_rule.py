"""A rule page of one's own with a declarative fix."""

from __future__ import annotations

from pathlib import Path

from nginxaudit.engine.settings import Settings

_PAGE = """+++
id = "ACME1"
severity = "info"
confidence = "high"
rejected-by-nginx = false
fix = "{fix}"
[repair]
title = "{title}"
{repair}
[check]
directive = "{directive}"
message = "found"
+++
# Own rule

## What it does
It finds a directive.

## Why it matters
For a test.

## How to fix
See the repair.
"""


def own_rule(directory: Path, *, title: str, repair: str, directive: str, fix: str = "safe") -> Settings:
    """Settings that run the rule ``own`` alone, whose page is written below ``directory``."""
    pages = directory / "rules" / "own"
    pages.mkdir(parents=True)
    page = _PAGE.format(title=title, repair=repair, directive=directive, fix=fix)
    (pages / "own.md").write_text(page)
    return Settings(select=("own",), rules=(str(directory / "rules"),))
