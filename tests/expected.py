"""What nginxaudit says of the fixtures: ``python -m tests.expected`` writes it beside them, to be reviewed.

A case is a configuration of ``fixtures/deployments``, or a whole directory with a tree. Its findings stand
in ``NAME.expected`` beside it, one a line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from nginxaudit.engine.audit import audit
from nginxaudit.engine.settings import Settings, discover, load

ROOT = Path(__file__).parent.parent
_TREES = ("etc-nginx", "nginx-plus")


def cases() -> list[Path]:
    """Paths relative to the repository."""
    singles = sorted((ROOT / "fixtures" / "deployments").glob("*.conf"))
    trees = [ROOT / "fixtures" / name for name in _TREES]
    return [path.relative_to(ROOT) for path in [*singles, *trees]]


def expected_file(case: Path) -> Path:
    """Where the expected findings of ``case`` stand."""
    return ROOT / case.with_suffix(".expected")


def findings(case: Path) -> str:
    """Findings of ``case``, one a line; with the settings that lie beside it."""
    before = os.getcwd()
    os.chdir(ROOT)
    try:
        file = discover(str(case))
        report = audit([str(case)], load(file) if file else Settings())
    finally:
        os.chdir(before)
    assert not report.crashes
    assert not report.incomplete
    lines = (
        f"{f.span.file}:{f.span.line}:{f.span.column}: {f.severity.label} {f.rule}: {f.message}\n"
        for f in report.active
    )
    return "".join(lines)


PICTURE = ROOT / "fixtures" / "etc-nginx.svg"


def picture() -> str:
    """The graph of fixtures/etc-nginx as SVG, which README shows."""
    run = [sys.executable, "-m", "nginxaudit", "graph", "--format", "svg", "fixtures/etc-nginx"]
    return subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    for each in cases():
        expected_file(each).write_text(findings(each), encoding="utf-8")
