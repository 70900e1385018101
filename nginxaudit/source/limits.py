"""How much is read and analysed: what a hostile or a broken input could otherwise make endless.

Every limit ends in a finding or in a note, never in silence. Real configurations stay far below the defaults.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct


class Limits(Struct, frozen=True):
    """Bounds of one run; `limits` tells what each of them is about."""

    max_file_size: int = 16 << 20
    max_files: int = 50_000
    max_include_depth: int = 40
    max_depth: int = 100
    max_directives: int = 2_000_000
    max_regex_size: int = 4096
    max_findings_per_rule: int = 10_000


# The most that settings may make of each, and what it bounds. What is recursive stays within Python's own limit.
_HIGHEST = {
    "max_file_size": (1 << 30, "Size of one file."),
    "max_files": (
        1_000_000,
        "Files of one run, those that are included and those that are found in directories.",
    ),
    "max_include_depth": (60, "Files that include each other in a row."),
    "max_depth": (200, "Blocks in blocks, those of included files counted."),
    "max_directives": (50_000_000, "Directives of one configuration with everything that it includes."),
    "max_regex_size": (65_536, "Size of a regular expression; nginx refuses words of 4 KiB."),
    "max_findings_per_rule": (
        10_000_000,
        "Findings of one rule in a report, the most severe ones first; a note counts the rest.",
    ),
}

DEFAULTS = Limits()
_UNITS = ((1 << 30, "g"), (1 << 20, "m"), (1 << 10, "k"))


class Limit(Struct, frozen=True):
    """One of the `Limits`: ``key`` is what it is called in settings, ``size`` says that it counts bytes."""

    name: str
    key: str
    default: int
    highest: int
    about: str
    size: bool

    def shown(self, value: int) -> str:
        """A value as settings spell it."""
        return shown_size(value) if self.size else str(value)


def limits() -> Iterator[Limit]:
    """The limits one by one."""
    for name, (highest, about) in _HIGHEST.items():
        yield Limit(name, key_of(name), getattr(DEFAULTS, name), highest, about, size=name.endswith("_size"))


def key_of(name: str) -> str:
    """What a limit is called in settings."""
    return name.replace("_", "-")


def raised(name: str) -> str:
    """How a limit is made wider, as the end of a sentence."""
    return f"or raise {key_of(name)} in [limits] of the settings"


def shown_size(size: int) -> str:
    """Bytes as settings spell them: ``16m``."""
    for unit, letter in _UNITS:
        if size and size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)


def read_size(text: str) -> int:
    """Bytes of ``16m``, ``512k``, ``1g`` or ``4096``. Raises `ValueError`."""
    number, factor = text, 1
    for unit, letter in _UNITS:
        if text.lower().endswith(letter):
            number, factor = text[:-1], unit
    if not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise ValueError(f"{text!r} is no size such as 16m, 512k or 4096")
    return int(number) * factor


def spoken(size: int) -> str:
    """Bytes for people: ``16 MiB``."""
    return f"{size >> 20} MiB" if size and size % (1 << 20) == 0 else f"{size:,} bytes"
