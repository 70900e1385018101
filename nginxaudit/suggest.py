"""Did-you-mean: the nearest known name, for every place where a name is typed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

SURE = 0.85  # of difflib: from here on a misspelt name can only mean the other one
_LONGEST = 64  # letters of a name that is compared: the time that it takes is in the square of them
_MOST_NAMES = 50  # of those that share enough letters with a word, the ones that share most
_MOST_WORDS = 100  # of a configuration, whose names are as many as somebody wants


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


class Suggestions:
    """The nearest of the names of a configuration, for the first words that ask: each is compared with all names."""

    def __init__(self, known: Iterable[str], cutoff: float) -> None:
        self._known = known
        self._names: list[str] | None = None
        self._cutoff = cutoff
        self._found: dict[str, str | None] = {}

    def nearest(self, word: str) -> str | None:
        """The known name most like ``word``; None when nothing is near, or too many words have asked before."""
        if word in self._found:
            return self._found[word]
        if len(self._found) >= _MOST_WORDS:
            return None
        if self._names is None:
            self._names = list(self._known)
        found = self._found[word] = next(iter(near(word, self._names, 1, self._cutoff)), None)
        return found


def near(word: str, known: Iterable[str], count: int, cutoff: float) -> list[str]:
    """At most ``count`` of ``known`` that are like ``word``, the most like first."""
    if len(word) > _LONGEST:
        return []
    names = list(_plausible(word, known, cutoff))
    if not names:
        return []
    from difflib import get_close_matches

    if len(names) > _MOST_NAMES:
        from heapq import nlargest

        names = nlargest(_MOST_NAMES, names)
    return get_close_matches(word, [name for _, name in names], count, cutoff)


def clear_match(word: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``word`` was surely meant to be; None when none or two are that near."""
    found = near(word, known, 2, SURE)
    if len(found) == 2 and likeness(word, found[0]) == likeness(word, found[1]):
        return None
    return found[0] if found and found[0] != word else None


def likeness(word: str, other: str) -> float:
    """How much of two words is the same, from 0 to 1."""
    from difflib import SequenceMatcher

    return SequenceMatcher(None, other, word).ratio()


def _plausible(word: str, known: Iterable[str], cutoff: float) -> Iterator[tuple[float, str]]:
    """Those of ``known`` that share as many letters with ``word`` as difflib's ratio ``cutoff`` takes, with how many.

    difflib looks through a thousand names in milliseconds, for every word of a file that is none of nginx's.
    """
    own, size = _letters(word), len(word)
    for each in known:
        shared = 2 * (own & _known_letters(each)).bit_count()
        if shared >= cutoff * (size + len(each)) - 1e-9 and len(each) <= _LONGEST:
            yield shared / (size + len(each)), each


def _letters(word: str) -> int:
    """The letters of ``word`` as bits, one for each time that one occurs: what two words share is their ``&``."""
    bits = 0
    for letter in set(word):
        bits |= ((1 << min(word.count(letter), 32)) - 1) << 32 * (ord(letter) % 128)
    return bits


_known_letters = lru_cache(maxsize=16384)(_letters)
