"""The command as a user runs it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_NOT_OURS = ("GITHUB_ACTIONS", "GITHUB_WORKSPACE", "NO_COLOR", "FORCE_COLOR")
_HOME = str(Path(__file__).resolve().parents[2])


def nginxaudit(
    *args: str, stdin: str | None = None, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``nginxaudit`` with ``args``; variables of a CI server count only where ``env`` sets them."""
    clean = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    path = os.pathsep.join(filter(None, [_HOME, os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-m", "nginxaudit", *args],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        input=stdin,
        timeout=120,
        check=False,
        cwd=cwd,
        env={**clean, "PYTHONPATH": path, **(env or {})},
    )
