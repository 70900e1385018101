"""Sizes, times and rates with the same value in units of nginx."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

_MEASURE = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z]*)")
_RATE = re.compile(r"(\d+)(?:r|req|requests?)?(?:/|p)(s|m)(?:ec|econd|in|inute)?", re.IGNORECASE)
_SIZES = {"g": 1 << 30, "m": 1 << 20, "k": 1 << 10, "": 1}
_TIMES = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_UNITS = {
    "size": {unit: _SIZES[unit] for unit in ("m", "k", "")},
    "offset": _SIZES,
    "time-ms": _TIMES,
    "time-s": {unit: factor for unit, factor in _TIMES.items() if unit != "ms"},
}
_SIZE_WORDS = re.compile(r"(g|m|k|)(?:i?b|bytes?)?", re.IGNORECASE)
_TIME_WORDS = {
    "w": ("w", "week", "weeks"),
    "d": ("d", "day", "days"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "s": ("s", "sec", "secs", "second", "seconds", ""),
    "ms": ("ms", "msec", "msecs"),
}


def in_units(word: str, kind: str) -> str | None:
    """``word`` for a directive of the type ``kind``; None for what is no size or time, or none of it."""
    units, found = _UNITS.get(kind), _MEASURE.fullmatch(word)
    unit = _unit(found[2], kind) if units is not None and found is not None else None
    if units is None or found is None or unit is None:
        return None
    number = Fraction(found[1])
    if unit in units and number.denominator == 1:
        return f"{number}{unit}"
    return _whole(number * (_SIZES if kind in ("size", "offset") else _TIMES)[unit], units)


def _unit(text: str, kind: str) -> str | None:
    if kind in ("size", "offset"):
        found = _SIZE_WORDS.fullmatch(text)
        return found[1].lower() if found else None
    if text == "M":  # months, for nginx
        return None
    return next((unit for unit, words in _TIME_WORDS.items() if text.lower() in words), None)


def _whole(amount: Fraction, units: Mapping[str, int]) -> str | None:
    """``amount`` in the largest unit in which it is a whole number."""
    for unit, factor in units.items():
        if amount and amount % factor == 0:
            return f"{amount / factor}{unit}"
    return None


def rate(text: str) -> str | None:
    """``text`` as ``limit_req_zone`` reads it: requests per second or minute."""
    found = _RATE.fullmatch(text)
    return f"{found[1]}r/{found[2].lower()}" if found is not None and int(found[1]) else None
