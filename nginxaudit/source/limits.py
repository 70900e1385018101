"""How much is read and analysed: what a hostile or a broken input could otherwise make endless.

Every limit ends in a finding or in a note, never in silence. Real configurations stay far below the defaults.
"""

from typing import Annotated

from msgspec import Meta, Struct

MAX_ARCHIVE_BYTES = 1 << 30
"""Of one archive, unpacked: images of nginx have 0.2 GB, few with an application in them have more than 1 GB."""

_UNITS = ((1 << 30, "g"), (1 << 20, "m"), (1 << 10, "k"))


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
        raise ValueError(f"{text!r} is not a size such as 16m, 512k or 4096")
    return int(number) * factor


def spoken(size: int) -> str:
    """Bytes for people: ``16 MiB``."""
    return f"{size >> 20} MiB" if size and size % (1 << 20) == 0 else f"{size:,} bytes"


def _count(description: str, highest: int) -> Meta:
    return Meta(description=description, ge=1, le=highest)


def _size(description: str, highest: int) -> Meta:
    """A number of bytes, which settings may write with a unit."""
    units = {"read": read_size, "show": shown_size}
    pattern = {"pattern": "^[0-9]+[kmgKMG]?$"}
    return Meta(description=description, ge=1, le=highest, extra=units, extra_json_schema=pattern)


class Limits(Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """Bounds of one run, which settings may change. What is recursive stays within Python's own limit."""

    max_file_size: Annotated[int, _size("Size of one file.", 1 << 30)] = 16 << 20
    max_files: Annotated[
        int, _count("Files of one run: included ones, and those found in directories.", 1_000_000)
    ] = 50_000
    max_include_depth: Annotated[int, _count("Depth of nested includes.", 60)] = 40
    max_depth: Annotated[int, _count("Depth of nested blocks, including those of included files.", 200)] = 100
    max_directives: Annotated[
        int, _count("Directives of one configuration with everything that it includes.", 50_000_000)
    ] = 2_000_000
    max_repeats: Annotated[
        int, _count("Directives of one run that come from files included repeatedly.", 50_000_000)
    ] = 250_000
    max_regex_size: Annotated[
        int, _size("Size of a regular expression; nginx refuses words of 4 KiB.", 65_536)
    ] = 4096
    max_findings_per_rule: Annotated[
        int,
        _count("Findings of one rule in a report, most severe first; a note counts the rest.", 10_000_000),
    ] = 10_000


DEFAULTS = Limits()


def raised(name: str) -> str:
    """How a limit is made wider, as the end of a sentence."""
    return f"or raise {name.replace('_', '-')} in [limits] of the settings"
