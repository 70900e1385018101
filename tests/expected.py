"""``python -m tests.expected`` writes everything that is made, to be reviewed: what is found in the examples of the
rule pages (``python -m tests.expected rules``: that alone), what nginxaudit says of the
fixtures beside them, the pictures and outputs in README and the pages of the site, the schema of the settings.

A case is a configuration of ``fixtures/deployments`` or ``fixtures/kubernetes``, or a whole directory with a
tree. Its findings stand in ``NAME.expected`` beside it, one a line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings, discover, load
from tests import shown
from tests.rules import pages, parts, snapshot

ROOT = Path(__file__).parent.parent
_TREES = ("etc-nginx", "nginx-plus")


def cases() -> list[Path]:
    """Paths relative to the repository."""
    singles = sorted((ROOT / "fixtures" / "deployments").glob("*.conf"))
    kubernetes = ROOT / "fixtures" / "kubernetes"
    singles += sorted([*kubernetes.glob("*.conf"), *kubernetes.glob("*.yaml")])
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
        f"{f.span.file}:{f.span.line}:{f.span.column}: {f.severity.label} {f.rule}: {f.claim}\n"
        for f in report.active
    )
    return "".join(lines)


SCHEMA = ROOT / "nginxaudit" / "engine" / "settings" / "settings.schema.json"


def made() -> dict[Path, Callable[[], str]]:
    """Every file that is made from the rules, the fixtures and the commands, and what makes its text."""
    return {
        **{expected_file(each): partial(findings, each) for each in cases()},
        **shown.pictures(),
        SCHEMA: partial(shown.run, "init --json-schema"),
        ROOT / "rules" / "README.md": shown.rule_pages,
    }


def write_rules() -> None:
    """Words for the marks in the rule pages, the expected findings of their examples, and what their parts lack."""
    for complaint in pages.fill_marks():
        print(complaint)
    for path, text in snapshot.written().items():
        path.write_text(text, encoding="utf-8")
    parts.KEPT.write_text(parts.written(), encoding="utf-8")


def write_shown() -> None:
    """Everything else."""
    for path, make in made().items():
        path.write_text(make(), encoding="utf-8")
    for document in shown.documents():
        document.write_text(shown.shown_in(document), encoding="utf-8")
    if not shown.photograph():
        print("no browser: fixtures/pictures/page.png stays as it was")


if __name__ == "__main__":
    write_rules()
    if sys.argv[1:] != ["rules"]:
        write_shown()
