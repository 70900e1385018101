"""``python -m tests.live.drill_measure`` measures what the deployments of the fixtures lose in a rolling restart.

It writes ``drill_deployments.json`` beside this file, from which README shows measured and predicted numbers.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from msgspec import to_builtins

from tests.live.drill_compare import MOST
from tests.live.drill_deployments import MEASURED, NAMES, VERSION, drilled, measured, predicted
from tests.support import nginx


def main() -> None:
    """Measure three at a time, and write."""
    assert nginx.version() == VERSION, "the numbers are those of another nginx"
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for names in (NAMES[::2], NAMES[1::2]):
            for name, run in asyncio.run(drilled(names, Path(scratch))).items():
                found[name] = {**to_builtins(measured(run)), "predicted": to_builtins(predicted(name))}
                print(f"{name}: {found[name]}, late {run.late(MOST):.0f} ms, at most {run.late():.0f} ms")
    MEASURED.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
