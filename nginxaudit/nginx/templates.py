"""Places in a configuration that something else fills in before nginx reads it."""

from __future__ import annotations

import re
from functools import cache

_PLACEHOLDER = (
    r"(?<![${])\{\{.*?\}\}"  # Jinja, Go, Helm, Mustache
    r"|\{%.*?%\}"  # Jinja statements
    r"|<%.*?%>"  # ERB
    r"|\$\{[A-Z][A-Z0-9_]*\}"  # envsubst, as in Docker's images: nginx's own names are lower-case
    r"|(?<![A-Za-z0-9_])__[A-Z][A-Z0-9_]*[A-Z0-9]__(?![A-Za-z0-9_])"
    r"|(?<![A-Za-z0-9_])(?:CHANGE_?ME|REPLACE_?ME)(?![A-Za-z0-9_])"
)
_SIGNS = (
    "{{",
    "{%",
    "<%",
    "${",
    "__",
    "CHANGE",
    "REPLACE",
)  # a search for words is faster than one for patterns


@cache
def placeholder() -> re.Pattern[str]:
    """The expression for a part that is to be filled in; compiled when a text has a sign of one."""
    return re.compile(_PLACEHOLDER, re.DOTALL)


@cache
def _braces() -> re.Pattern[str]:
    return re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def has_placeholder(text: str, *, quoted: bool = False) -> bool:
    """Whether ``text`` has a part that is to be filled in.

    In a ``quoted`` word double braces may well be meant: JSON, or a template that a browser fills in.
    """
    for sign in _SIGNS:
        if sign in text:
            if quoted:
                text = _braces().sub("", text)
            return placeholder().search(text) is not None
    return False
