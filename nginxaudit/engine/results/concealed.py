"""Words about a configuration without the secrets in it: a message may quote a value without what tells that it is one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from nginxaudit.finding import Fix, Witness
from nginxaudit.hit import Hit
from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.secrets import MASK, lowered, mask_secrets
from nginxaudit.source.text import SourceText

_MOST = 8192  # code points of a directive that are read: nginx refuses words of half of that
_AROUND = 1024  # on either side of a place
_LONGEST = 1000  # code points of a message
_SHORT = 4  # shorter values are in many a word: they are masked where they are a word of their own, in quotes or behind a sign
_BEGIN = 8  # code points by which a longer value is recognised: a message may cut it short


class Concealed:
    """What may be shown of the words of one hit."""

    def __init__(self, hit: Hit) -> None:
        self._values = values_in(_stretches(hit))

    def __call__(self, text: str) -> str:
        """``text`` with its secrets masked, no longer than what people read."""
        text = mask_secrets(
            text[: 2 * _MOST], prose=True
        )  # a secret that begins in what is shown ends before that
        return shortened(without_values(text, self._values))

    def fix(self, fix: Fix) -> Fix:
        """``fix`` under a title without secrets; its edits stay as they have to be applied."""
        title = self(fix.title)
        return fix if title == fix.title else replace(fix, title=title)

    def witness(self, witness: Witness) -> Witness:
        """``witness`` with its secrets masked."""
        headers = tuple([(self(name), self(value)) for name, value in witness.headers])
        return replace(witness, url=self(witness.url), headers=headers)


def shortened(text: str) -> str:
    """The beginning of ``text`` where it is longer than people read: a word of a hostile file may have megabytes."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def values_in(stretches: Iterable[tuple[SourceText, int, int]]) -> Sequence[str]:
    """The secrets in parts of texts, as they are written and as nginx reads them, the longest first."""
    values = set()
    for source, start, end in stretches:
        for first, last, _ in source.secrets(start, end):
            value = source.text[first:last]
            values.add(value)
            if "\\" in value:
                values.add(compiled(r"\\(.)", re.DOTALL).sub(r"\1", value))
            if "$" in value:  # which nginx takes for variables
                values.update(compiled(r"\$\w+").findall(value))
    return sorted(values, key=len, reverse=True)


def without_values(text: str, values: Iterable[str]) -> str:
    """``text`` with every one of ``values`` masked, in whatever case."""
    for value in values:
        low, value = lowered(text), lowered(value)
        if value[:_BEGIN] in low:
            text = _without(text, low, value)
    return text


def _without(text: str, low: str, value: str) -> str:
    if len(value) < _SHORT:
        word = rf"(?<=[\"'=:/@]){re.escape(value)}(?![\w-])"
        return re.sub(word, MASK * len(value), text, flags=re.IGNORECASE)
    at = low.find(value[:_BEGIN])
    while at >= 0:
        end = at
        for one, other in zip(low[at : at + len(value)], value, strict=False):
            if one != other:
                break
            end += 1
        text = text[:at] + MASK * (end - at) + text[end:]
        at = low.find(value[:_BEGIN], end)
    return text


def _stretches(hit: Hit) -> Iterator[tuple[SourceText, int, int]]:
    """The directive that a hit is about, and the lines of the other places that it names."""
    node = hit.node
    if node is not None:
        end = (node.args or [node.word])[-1].end
        yield node.source, node.start, min(end, node.start + _MOST)
    for place in (hit.place, *(other for _, other in hit.related)):
        inside = node is not None and place.source is node.source and node.start <= place.start
        if not (inside and place.end <= end):
            yield (place.source, *_line(place.source.text, place.start))


def _line(text: str, at: int) -> tuple[int, int]:
    """The line around an offset, or a part of it: a whole configuration may be on one."""
    low, high = max(at - _AROUND, 0), at + _AROUND
    first, last = text.rfind("\n", low, at) + 1, text.find("\n", at, high)
    return max(first, low), high if last < 0 else last
