"""Which rules see what the checks of other tools see: ``rules/coverage.toml``, read when asked for."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping

from msgspec import Struct

from nginxaudit.engine.rules.places import pages_directory

FILE_NAME = "coverage.toml"


class Tool(Struct, frozen=True):
    """Another tool: its checks by name, each with the slugs of the rules that see the same."""

    name: str
    version: str
    checks: Mapping[str, tuple[str, ...]]


def coverage() -> tuple[Tool, ...]:
    """The tools, in the order of the file."""
    with open(os.path.join(pages_directory(), FILE_NAME), "rb") as file:
        data = tomllib.load(file)
    return tuple(
        Tool(name, entry["version"], {check: tuple(rules) for check, rules in entry["checks"].items()})
        for name, entry in data.items()
    )
