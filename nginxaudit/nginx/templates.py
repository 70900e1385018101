"""Places in a configuration that something else fills in before nginx reads it."""

from __future__ import annotations

import re

PLACEHOLDER = re.compile(
    r"(?<![${])\{\{.*?\}\}"  # Jinja, Go, Helm, Mustache
    r"|\{%.*?%\}"  # Jinja statements
    r"|<%.*?%>"  # ERB
    r"|\$\{[A-Z][A-Z0-9_]*\}"  # envsubst, as in Docker's images: nginx's own names are lower-case
    r"|(?<![A-Za-z0-9_])__[A-Z][A-Z0-9_]*[A-Z0-9]__(?![A-Za-z0-9_])"
    r"|(?<![A-Za-z0-9_])(?:CHANGE_?ME|REPLACE_?ME)(?![A-Za-z0-9_])",
    re.DOTALL,
)

_BRACES = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_SIGNS = (
    "{{",
    "{%",
    "<%",
    "${",
    "__",
    "CHANGE",
    "REPLACE",
)  # a search for words is faster than one for patterns


def has_placeholder(text: str, *, quoted: bool = False) -> bool:
    """Whether ``text`` has a part that is to be filled in.

    In a ``quoted`` word double braces may well be meant: JSON, or a template that a browser fills in.
    """
    if quoted:
        text = _BRACES.sub("", text)
    return any(sign in text for sign in _SIGNS) and PLACEHOLDER.search(text) is not None
