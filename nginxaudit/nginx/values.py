"""Value grammars as nginx parses them (src/core/ngx_parse.c, src/core/ngx_conf_file.c).

Every function returns the value or raises `ValueError` with a sentence for people.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

_MAX_INT = 2**63 - 1  # ngx_int_t and off_t on a 64-bit system
_SECONDS = {"y": 31_536_000, "M": 2_592_000, "w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_EVERYWHERE = frozenset("wdhms")  # units that every time may have
_ORDER = ("y", "M", "w", "d", "h", "m", "s", "ms")
_SIZES = {"k": 1 << 10, "m": 1 << 20}
_OFFSETS = {**_SIZES, "g": 1 << 30}
_TIMES = "500ms, 30s, 5m or 1h30m"


def parse_flag(text: str) -> bool:
    """``on`` or ``off`` in any case."""
    word = text.lower()
    if word not in ("on", "off"):
        raise ValueError(f'"{text}" is neither "on" nor "off"')
    return word == "on"


def parse_number(text: str) -> int:
    """A decimal number without a sign."""
    if not _digits(text):
        raise ValueError(f'"{text}" is not a whole number')
    value = int(text)
    if value > _MAX_INT:
        raise ValueError(f'"{text}" is too large')
    return value


def parse_size(text: str) -> int:
    """Bytes; units ``k`` and ``m`` in any case."""
    return _sized(text, _SIZES)


def parse_offset(text: str) -> int:
    """Bytes; units ``k``, ``m`` and ``g`` in any case."""
    return _sized(text, _OFFSETS)


@lru_cache(maxsize=1024)
def parse_time_ms(text: str) -> int:
    """Milliseconds; without a unit the number means seconds."""
    return _time(text, milliseconds=True)


@lru_cache(maxsize=1024)
def parse_time_s(text: str) -> int:
    """Whole seconds; milliseconds are refused, as nginx does where it counts in seconds."""
    return _time(text, milliseconds=False)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _sized(text: str, units: dict[str, int]) -> int:
    factor = units.get(text[-1:].lower(), 1)
    digits = text if factor == 1 else text[:-1]
    if not _digits(digits):
        raise ValueError(f'"{text}" is not a size such as {"10g, " if "g" in units else ""}16m, 512k or 4096')
    value = int(digits) * factor
    if value > _MAX_INT:
        raise ValueError(f'"{text}" is too large')
    return value


@cache
def _time_part() -> re.Pattern[str]:
    return re.compile(r"([0-9]*)(ms|[yMwdhms ]|\Z) *")


def _time(text: str, *, milliseconds: bool) -> int:
    scale = 1000 if milliseconds else 1
    digits, unit = (text, "s") if _digits(text) else (text[:-1], text[-1:])
    if unit in _EVERYWHERE and _digits(digits):  # nearly all are one number
        total = int(digits) * _SECONDS[unit] * scale
        if total > _MAX_INT:
            raise ValueError(f'"{text}" is too large')
        return total
    if not any(char.isdigit() for char in text):
        raise ValueError(f'"{text}" is not a time such as {_TIMES}')
    total, last, position = 0, -1, 0
    while position < len(text):
        part = _time_part().match(text, position)
        if part is None:
            raise ValueError(f'"{text}" is not a time such as {_TIMES}')
        position = part.end()
        number, unit = int(part[1] or 0), part[2]
        if unit:  # a number at the very end means seconds, whatever came before
            last = _next_rank(text, unit, last, milliseconds)
        total += number if unit == "ms" else number * _SECONDS.get(unit, 1) * scale
        if total > _MAX_INT:
            raise ValueError(f'"{text}" is too large')
    return total


def _next_rank(text: str, unit: str, last: int, milliseconds: bool) -> int:
    if unit == "ms" and not milliseconds:
        raise ValueError(f'"{text}": milliseconds are not allowed here, only whole seconds')
    if unit in "yM" and milliseconds:  # nginx counts both in whole seconds only
        raise ValueError(f'"{text}": years and months are not allowed here; the largest unit is w, weeks')
    if unit == " ":  # seconds without a unit, in the middle
        if last >= _ORDER.index("s"):
            raise ValueError(f'"{text}" is not a time such as {_TIMES}')
        return len(_ORDER)
    rank = _ORDER.index(unit)
    if rank <= last:
        raise ValueError(f'"{text}": units must go from large to small, each once')
    return rank
