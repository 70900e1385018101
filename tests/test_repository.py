"""What stands around the program: the workflow, the templates, and links between documents."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEMPLATES = sorted(
    set((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    - {ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"}
)
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "tests").glob("*/README.md"), ROOT / "rules" / "README.md"})


def _steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_read_and_pin_their_actions(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}
    actions = [step["uses"] for step in _steps(workflow) if "uses" in step]
    assert actions
    assert [each for each in actions if not re.fullmatch(r"[\w-]+/[\w/-]+@v\d+", each)] == []


def test_the_whole_check_runs_in_a_workflow() -> None:
    commands = [step["run"] for workflow in WORKFLOWS for step in _steps(workflow) if "run" in step]
    assert ".ci/run" in commands
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_of_issues_are_forms(template: Path) -> None:
    form = yaml.safe_load(template.read_text())
    assert form["name"] and form["description"]
    assert len({field["id"] for field in form["body"]}) == len(form["body"]) >= 3
    assert all(field["attributes"]["label"] for field in form["body"])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []
