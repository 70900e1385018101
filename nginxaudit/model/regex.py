"""PCRE as far as Python's ``re`` can stand in for it.

nginx compiles expressions without UTF-8 mode, so they are matched byte by byte here too.
"""

from __future__ import annotations

import re
from functools import lru_cache

_NAMED = re.compile(r"\(\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')")
_ANGLE_NAMED = re.compile(r"(?<!\\)\(\?<(?![=!])")
_QUOTE_NAMED = re.compile(r"\(\?'([A-Za-z_]\w*)'")
_FOREIGN = re.compile(
    r"\\[QEKRXGghHvVNZCLlUupPz]"  # escapes that Python lacks or reads differently
    r"|\(\*"  # verbs
    r"|\(\?(?:\||R|&|\d|[+-]\d|P>|C)"  # branch reset, recursion, callouts
    r"|\[\[:"  # POSIX classes
    r"|\[\[|&&|\|\||~~|--"  # sets that Python warns about
    r"|\{,\d"  # literal or not, by the version of PCRE
)


def names(pattern: str) -> list[str]:
    """Names of the capture groups, in order."""
    return [match[1] or match[2] for match in _NAMED.finditer(pattern)]


@lru_cache(maxsize=16384)
def compiled(pattern: str, *, caseless: bool = False) -> re.Pattern[bytes] | None:
    """Equivalent Python expression, or None when there is no sure one."""
    bare = re.sub(r"\\\\", "", pattern)  # an escaped backslash escapes nothing
    if _FOREIGN.search(bare):
        return None
    text = _QUOTE_NAMED.sub(r"(?P<\1>", pattern)
    text = _ANGLE_NAMED.sub("(?P<", text)
    try:
        return re.compile(to_bytes(text), re.IGNORECASE if caseless else 0)
    except (re.error, OverflowError, RecursionError):
        return None


def to_bytes(text: str) -> bytes:
    """The text as it stands in the file or in a request."""
    return text.encode("utf-8", "surrogateescape")
