"""Loading ``data/*.json``: each file once, when first asked for."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from msgspec import Raw
from msgspec.json import decode

_DIRECTORY = os.path.join(os.path.dirname(__file__), "data")


@cache
def load(name: str) -> Any:
    """Content of one data file."""
    return decode(content(name))


@cache
def groups(name: str) -> dict[str, Raw]:
    """Groups of one data file by their name: of a thousand directives, a configuration has a few dozen."""
    return decode(content(name), type=dict[str, Raw])


@cache
def parts(name: str) -> dict[str, dict[str, Raw]]:
    """A data file with several kinds of groups."""
    return decode(content(name), type=dict[str, dict[str, Raw]])


def rows(name: str, group: str) -> list[Any]:
    """Rows of one group of a data file; none if there is no such group."""
    raw = groups(name).get(group)
    found: list[Any] = decode(raw) if raw is not None else []
    return found


def content(name: str) -> bytes:
    """One data file as it is."""
    with open(os.path.join(_DIRECTORY, name), "rb") as file:
        return file.read()
