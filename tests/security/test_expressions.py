"""No regular expression of the package takes time in the square of a text.

With NGINXAUDIT_THOROUGH=1 far more texts are tried, for some minutes.
"""

from __future__ import annotations

import os
import re

import pytest

from tests.security.expressions import Use, is_slow, pieces, uses

USES = [use for use in uses() if isinstance(use.pattern.pattern, str)]  # those of bytes take no texts


def test_there_are_expressions_to_be_tried() -> None:
    files = {use.place.partition(":")[0] for use in USES}
    assert len(USES) > 120
    assert {"nginxaudit/source/root.py", "nginxaudit/syntax/lexer.py"} <= files
    assert any("secrets" in file for file in files)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [r"^\s*(?:http|events)", r"(?:a|b)*c", r"\{\{.*?\}\}", r"x+y"])
def test_what_is_looked_for_is_found(pattern: str) -> None:
    use = Use("", re.compile(pattern, re.MULTILINE), anywhere=True)
    assert any(is_slow(use, piece) for piece in pieces(use.pattern, thorough=False))


def test_what_is_not_slow_is_not_found() -> None:
    use = Use("", re.compile(r"^[^\S\n]*+(?:http|events)", re.MULTILINE), anywhere=True)
    assert not any(is_slow(use, piece) for piece in pieces(use.pattern, thorough=False))


@pytest.mark.slow
@pytest.mark.parametrize("thorough", [False, True] if os.environ.get("NGINXAUDIT_THOROUGH") else [False])
@pytest.mark.parametrize("use", USES, ids=lambda use: use.place)
def test_time_grows_with_the_text(use: Use, thorough: bool) -> None:
    slow = [piece for piece in pieces(use.pattern, thorough=thorough) if is_slow(use, piece)]
    assert not slow, f"{use.pattern.pattern!r} on many of {slow[:3]!r}"
