"""Did-you-mean: the nearest known name, for every place where a name is typed."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, or None when nothing is near."""
    from difflib import get_close_matches

    found = get_close_matches(name.lower(), {each.lower(): each for each in known}, n=1, cutoff=0.72)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``'; did you mean "x"?'`` or an empty string, to append to a message."""
    known = list(known)
    match = nearest(name, known)
    if match is None:
        return ""
    spelled = next(each for each in known if each.lower() == match)
    return f'; did you mean "{spelled}"?'
