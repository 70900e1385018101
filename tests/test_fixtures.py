"""The fixtures: expected findings, the three deployments, the corrected versions, README's outputs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.nginx import Target
from tests import shown
from tests.expected import ROOT, made
from tests.support import nginx
from tests.support.targets import settings_for


def _rules(name: str, target: Target | None = None, *, at_least: str = "warning") -> list[str]:
    path = ROOT / "fixtures" / "deployments" / name
    report = audit([str(path)], settings_for(target or Target()))
    wanted = ("error", "warning") if at_least == "warning" else ("error", "warning", "info")
    return [finding.rule for finding in report.active if finding.severity.label in wanted]


def test_the_three_deployments_of_the_manual() -> None:
    assert _rules("active-active.conf") == ["missing-listen"]
    assert _rules("active-active-health-checks.conf") == ["health-check-requires-plus"]
    assert _rules("active-passive.conf") == ["active-passive-missing-backup"]
    plus = Target(edition="plus")
    assert _rules("active-active-health-checks.conf", plus) == ["health-check-without-zone"]


@pytest.mark.parametrize("name", ["active-active", "active-active-health-checks", "active-passive"])
def test_the_corrected_versions_are_clean(name: str) -> None:
    assert _rules(f"{name}-fixed.conf", at_least="info") == []


@pytest.mark.live
@nginx.live
@pytest.mark.parametrize("name", ["active-active", "active-active-health-checks", "active-passive"])
def test_nginx_loads_the_corrected_versions(name: str, tmp_path: Path) -> None:
    text = (ROOT / "fixtures" / "deployments" / f"{name}-fixed.conf").read_text()
    answer = nginx.check(tmp_path, text.replace("listen 80;", f"listen unix:{tmp_path}/s;"))
    assert answer.accepted, answer.output


@pytest.mark.slow
@pytest.mark.parametrize("path", made(), ids=lambda path: path.name)
def test_what_is_made_is_as_it_would_be_made_now(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == made()[path](), "python -m tests.expected makes it anew"


_SHOWING = [
    path
    for path in shown.documents()
    if "<!-- output: " in path.read_text() or "<!-- table: " in path.read_text()
]


@pytest.mark.slow
@pytest.mark.parametrize("document", _SHOWING, ids=lambda path: path.stem)
def test_documents_show_what_the_commands_print(document: Path) -> None:
    assert document.read_text(encoding="utf-8") == shown.shown_in(document), "python -m tests.expected"


def test_readme_and_the_site_show_outputs() -> None:
    assert {path.stem for path in _SHOWING} >= {
        "README",
        "quick-start",
        "usage",
        "requests",
        "settings",
        "github",
    }


def test_readme_shows_pictures_that_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert pictures
    assert all((ROOT / picture).stat().st_size > 1000 for picture in pictures)
