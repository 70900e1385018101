"""Where the rule pages are."""

from __future__ import annotations

import os

from nginxaudit.engine.rules.rule import Rule

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
PACKAGED = os.path.join(_PACKAGE, "_rules")


def pages_directory() -> str:
    """Where the pages are: inside the package once it is installed, beside it in a checkout."""
    return PACKAGED if os.path.isdir(PACKAGED) else os.path.join(os.path.dirname(_PACKAGE), "rules")


def page_of(rule: Rule) -> str:
    """The file of the page of ``rule``."""
    return rule.path if os.path.isabs(rule.path) or rule.own else os.path.join(pages_directory(), rule.path)
