"""Versions of nginx and the target that a question is asked for."""

from __future__ import annotations

from msgspec import Struct

Version = tuple[int, int, int]
NEWEST: Version = (1, 31, 4)
"""The newest release the facts know."""


def parse_version(text: str) -> Version:
    """``"1.29.7"`` as numbers; ``"1.29"`` means its first release, 1.29.0.

    Raises `ValueError`.
    """
    parts = text.strip().removeprefix("nginx/").removeprefix("v").split(".")
    if len(parts) not in (2, 3) or not all(map(str.isdecimal, parts)):
        raise ValueError(f"{text!r} is no version of nginx; expected something like 1.28.0")
    major, minor, *patch = map(int, parts)
    return major, minor, patch[0] if patch else 0


def format_version(version: Version) -> str:
    """``(1, 29, 7)`` as ``"1.29.7"``."""
    return ".".join(map(str, version))


class Target(Struct, frozen=True):
    """The nginx that a configuration is meant for.

    ``edition`` is ``oss`` or ``plus`` (for Plus, ``version`` is the open source version it is
    based on). ``modules`` names third-party modules known to be loaded (``lua``, ``headers-more``…).
    """

    version: Version = NEWEST
    edition: str = "oss"
    modules: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """For messages: ``nginx 1.29.7`` or ``NGINX Plus (1.29.7)``."""
        text = format_version(self.version)
        return f"NGINX Plus ({text})" if self.edition == "plus" else f"nginx {text}"
