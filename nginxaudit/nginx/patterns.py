"""Regular expressions that are compiled when a text needs them: to compile all of them costs more than a small run."""

from __future__ import annotations

import re
from functools import cache


@cache
def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """``pattern`` compiled, once."""
    return re.compile(pattern, flags)
