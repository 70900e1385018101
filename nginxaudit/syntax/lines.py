"""What is beside a place on its line. Only blanks are looked at: all of a file may stand on one line."""

from __future__ import annotations

from nginxaudit.nginx.patterns import compiled

_BLANKS = frozenset(" \t\r")  # what white space is for nginx
_REST = r"[ \t\r]*+(?:\n|\Z)"


def is_first(text: str, at: int) -> bool:
    """Whether nothing but white space comes before ``at`` on its line."""
    while at > 0 and text[at - 1] != "\n":
        at -= 1
        if text[at] not in _BLANKS:
            return False
    return True


def is_last(text: str, at: int) -> bool:
    """Whether nothing but white space comes from ``at`` to the end of its line."""
    return compiled(_REST).match(text, at) is not None
