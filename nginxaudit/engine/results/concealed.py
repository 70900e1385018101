"""Words about a configuration without the secrets in it: a message may quote a value without what tells that it is one."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from nginxaudit.finding import Fix
from nginxaudit.hit import Hit
from nginxaudit.nginx.secrets import MASK, mask_secrets, secrets_in

_MOST = 8192  # code points of a directive that are looked at: nginx refuses words of half of that
_AROUND = 1024  # on either side of a place
_SHORTEST = 4  # shorter values occur in many a word


class Concealed:
    """What may be shown of the words of one hit."""

    def __init__(self, hit: Hit) -> None:
        self._values = sorted(
            {value for text in _texts(hit) for value in _values(text)}, key=len, reverse=True
        )

    def __call__(self, text: str) -> str:
        """``text`` with its secrets masked."""
        text = mask_secrets(text)
        for value in self._values:
            if value in text:
                text = text.replace(value, MASK * len(value))
        return text

    def fix(self, fix: Fix) -> Fix:
        """``fix`` under a title without secrets; its edits stay as they have to be applied."""
        title = self(fix.title)
        return fix if title == fix.title else replace(fix, title=title)


def _texts(hit: Hit) -> Iterator[str]:
    """The directive that a hit is about, and the lines of the other places that it names."""
    node = hit.node
    if node is not None:
        words = node.args or [node.word]
        yield node.source.text[node.start : words[-1].end][:_MOST]
    for place in (hit.place, *(other for _, other in hit.related)):
        inside = node is not None and place.source is node.source and place.start >= node.start
        if node is None or not (inside and place.end <= words[-1].end):
            yield _line(place.source.text, place.start)


def _line(text: str, at: int) -> str:
    """The line around an offset, or a part of it: a whole configuration may stand on one."""
    low, high = max(at - _AROUND, 0), at + _AROUND
    first, last = text.rfind("\n", low, at) + 1, text.find("\n", at, high)
    return text[max(first, low) : high if last < 0 else last]


def _values(text: str) -> Iterator[str]:
    for first, last in secrets_in(text):
        if last - first >= _SHORTEST:
            yield text[first:last]
