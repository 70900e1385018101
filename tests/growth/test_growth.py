"""The time of every command grows with the size of its input, whatever there is much of.

Here the inputs are small and what is borne is generous, for other things run on the machine: it is there to notice what is
quadratic. ``python -m tests.growth`` measures; its table is in ``tests/security/README.md``.
"""

from __future__ import annotations

import pytest

from tests.growth.dimensions import DIMENSIONS
from tests.growth.measure import COMMANDS, Sample, exponent, growth

_SIZES = (500, 2000)
_SMALL_SIZES = (100, 400)
_SMALL = ("upstreams", "upstreams not in use", "roots", "fragments", "includes")
"""Dimensions in which one of a thousand costs much by itself."""
_MOST = 1.5
_TRIES = 3
_OTHERS = ("listens of servers", "zones in use", "includes", "upstreams not in use", "secrets", "TLS servers")


def least(command: str, dimension: str) -> float:
    """The exponent, the smallest of some where it is large: what disturbs a measurement makes it larger."""
    sizes = _SMALL_SIZES if dimension in _SMALL else _SIZES
    power = 9.0
    for _ in range(_TRIES):
        power = min(power, exponent(COMMANDS[command], DIMENSIONS[dimension], sizes)[0])
        if power < _MOST:
            break
    return power


@pytest.mark.slow
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_scan(dimension: str) -> None:
    assert least("scan", dimension) < _MOST


@pytest.mark.slow
@pytest.mark.parametrize("dimension", _OTHERS)
@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "scan"])
def test_other_commands(command: str, dimension: str) -> None:
    assert least(command, dimension) < _MOST


def test_what_is_quadratic_would_be_noticed() -> None:
    """The measurement itself, on a command whose time is known to grow so."""
    sizes = (500, 2000)
    assert growth(sizes, [Sample(size**2 * 1e-6, 0) for size in sizes], 0.0) == pytest.approx(2)
    assert growth(sizes, [Sample(size * 1e-4, 0) for size in sizes], 0.0) == pytest.approx(1)
