"""Loading ``data/*.json``: each file once, when first asked for."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

_DIRECTORY = os.path.join(os.path.dirname(__file__), "data")


@cache
def load(name: str) -> Any:
    """Content of one data file."""
    with open(os.path.join(_DIRECTORY, name), "rb") as file:
        return json.loads(file.read())
