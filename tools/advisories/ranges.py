"""Versions as nginx's list and OSV write them, as events of one range."""

from __future__ import annotations

import re
from collections.abc import Iterable

Version = tuple[int, ...]
Events = list[dict[str, str]]
_NUMBER = re.compile(r"\d+(?:\.\d+)+")


def number(text: str) -> Version:
    """``1.31.2`` as numbers. Raises `ValueError`."""
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a version")
    return tuple(map(int, text.split(".")))


def _text(version: Version) -> str:
    return ".".join(map(str, version))


def events_of(vulnerable: str, good: str) -> Events:
    """``0.9.6-1.31.2`` without ``1.31.3+, 1.30.4+``: each branch that got the fix is vulnerable up to it. Raises `ValueError`.

    What a branch has after its fix is not vulnerable, and the branch that follows is from its first release on.
    """
    fixes = sorted(
        number(each.strip().removesuffix("+")) for each in good.split(",") if each.strip() not in ("", "none")
    )
    events: Events = []
    for first, last in sorted(_parts(vulnerable)):
        begin: Version | None = first
        for fix in (each for each in fixes if first < each <= last):
            if begin is not None and begin < fix:
                events += [{"introduced": _text(begin)}, {"fixed": _text(fix)}]
            begin = (fix[0], fix[1] + 1, 0)
            begin = begin if begin <= last else None
        if begin is not None:
            events += [{"introduced": _text(begin)}, _end(last, fixes)]
    return events


def _parts(vulnerable: str) -> Iterable[tuple[Version, Version]]:
    for each in vulnerable.replace("nginx/Windows", "").split(","):
        first, _, last = each.strip().partition("-")
        if first != "all":  # a matter of principle, not of versions: there is no fix
            yield number(first), number(last or first)


def _end(last: Version, fixes: list[Version]) -> dict[str, str]:
    """The fix in the branch of the last vulnerable version, or of the next one; none that is known: the version itself."""
    after = [each for each in fixes if each > last and (each[:2] == last[:2] or each[0] == last[0])]
    following = next((each for each in after if each[:2] == last[:2]), after[0] if after else None)
    whole = following is not None and (following[:2] == last[:2] or following[2:] == (0,))
    return {"fixed": _text(following)} if whole and following else {"last_affected": _text(last)}
