"""The fixtures: expected findings, the three deployments, the corrected versions, README's outputs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nginxaudit.engine.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.nginx import Target
from tests.expected import PICTURE, ROOT, cases, expected_file, findings, picture
from tests.support import nginx


@pytest.mark.parametrize("case", cases(), ids=str)
def test_expected_findings(case: Path) -> None:
    assert findings(case) == expected_file(case).read_text(encoding="utf-8")


def _rules(name: str, target: Target | None = None, *, at_least: str = "warning") -> list[str]:
    path = ROOT / "fixtures" / "deployments" / name
    report = audit([str(path)], Settings(target=target or Target()))
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


def test_the_picture_is_as_it_is_drawn_now() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(), "python -m tests.expected draws it anew"


_OUTPUT = re.compile(r"<!-- output: (nginxaudit [^\n]*) -->\n```text\n(.*?)```\n<!-- end -->", re.DOTALL)


def _run(command: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "CI")}
    return subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def rendered(readme: str) -> str:
    """README with the outputs of its commands as they are now."""
    return _OUTPUT.sub(lambda m: f"<!-- output: {m[1]} -->\n```text\n{_run(m[1])}```\n<!-- end -->", readme)


def test_readme_shows_what_the_commands_print() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert _OUTPUT.search(readme)
    assert readme == rendered(readme), "python -m tests.test_fixtures rewrites the outputs in README.md"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(rendered(path.read_text(encoding="utf-8")), encoding="utf-8")
