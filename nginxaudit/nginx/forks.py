"""How the editions that others make differ from the nginx that each of their releases is made of.

Nothing is loaded before one of them is the target, or a directive is looked for that nginx does not have.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import decode

from nginxaudit.nginx.data_files import content
from nginxaudit.nginx.version import FORKS, OwnVersion, Version, own_version, parse_version


class _Data(Struct):
    releases: dict[str, str]
    directives: dict[str, Raw]
    variables: dict[str, Raw]
    parameters: dict[str, Raw]


@cache
def _data(edition: str) -> _Data:
    return decode(content(f"{edition}.json"), type=_Data)


def rows_of(edition: str, part: str, name: str) -> list[Any] | None:
    """What an edition says of a name in which it differs from nginx: nothing in it if it lacks it, None if it does not differ."""
    raw = getattr(_data(edition), part).get(name)
    return decode(raw) if raw is not None else None


@cache
def releases(edition: str) -> tuple[tuple[OwnVersion, Version], ...]:
    """Releases of an edition with the nginx that each is made of, the oldest first."""
    return tuple((own_version(own), parse_version(base)) for own, base in _data(edition).releases.items())


@cache
def editions_with(name: str) -> tuple[str, ...]:
    """The editions that have the directive ``name`` in a form that nginx does not have."""
    return tuple(edition for edition in FORKS if rows_of(edition, "directives", name))
