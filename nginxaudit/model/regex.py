"""Regular expressions as nginx tries them: PCRE2 itself, byte by byte, and never for long.

nginx compiles expressions without UTF-8 mode, so they are matched byte by byte here too. Both the expression and
the text may be a stranger's: what backtracks too much is given up, not waited for.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import Any

from msgspec import Struct

_NAMED = r"\(\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')"
_BY_VERSION = r"\{,\d"  # literal or not, by the version of PCRE
_BOUNDED = b"(*LIMIT_MATCH=100000)(*LIMIT_DEPTH=5000)"  # milliseconds


def names(pattern: str) -> list[str]:
    """Names of the capture groups, in order."""
    return [match[1] or match[2] for match in re.finditer(_NAMED, pattern)] if "(?" in pattern else []


def matches(pattern: str, text: str, *, caseless: bool = False) -> bool | None:
    """Whether nginx finds ``pattern`` in ``text``; None where that is not sure, or takes too long to find out."""
    import pcre2  # only who has expressions pays for it

    expression = _compiled(pattern, caseless=caseless)
    if expression is None:
        return None
    try:
        return expression.search(to_bytes(text)) is not None
    except pcre2.LibraryError:  # a limit
        return None


class Found(Struct, frozen=True):
    """Where an expression matched: the texts of its groups (empty for those that took no part), and those with names."""

    groups: tuple[str, ...]
    named: tuple[tuple[str, str], ...]


class Undecided(Enum):
    """Whether an expression matches is not known: it is invalid, depends on the version of PCRE, or takes too long."""

    UNDECIDED = 0


UNDECIDED = Undecided.UNDECIDED


def search(pattern: str, text: str, *, caseless: bool = False) -> Found | Undecided | None:
    """What nginx captures where it finds ``pattern`` in ``text``; None where it does not."""
    import pcre2

    expression = _compiled(pattern, caseless=caseless)
    if expression is None:
        return UNDECIDED
    try:
        found = expression.search(to_bytes(text))
    except pcre2.LibraryError:  # a limit
        return UNDECIDED
    if found is None:
        return None
    if not expression.groups:
        return _PLAIN
    groups = tuple([(group or b"").decode("utf-8", "surrogateescape") for group in found.groups()])
    named = expression.groupindex
    return Found(
        groups, tuple([(_name(name), groups[at - 1]) for name, at in named.items()]) if named else ()
    )


_PLAIN = Found((), ())


def _name(name: str | bytes) -> str:
    return (name.decode() if isinstance(name, bytes) else name).lower()


@lru_cache(maxsize=16384)
def _compiled(pattern: str, *, caseless: bool) -> Any:
    import pcre2

    if "{," in pattern and re.search(_BY_VERSION, pattern):
        return None
    try:
        return pcre2.compile(_BOUNDED + to_bytes(pattern), pcre2.I if caseless else 0)
    except pcre2.LibraryError:  # that it is invalid is told elsewhere
        return None


def to_bytes(text: str) -> bytes:
    """The text as it stands in the file or in a request."""
    return text.encode("utf-8", "surrogateescape")
