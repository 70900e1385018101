"""What stands around the program: the workflow, the templates, and links between documents."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from nginxaudit import DOCS
from nginxaudit.engine.rules.catalogue import builtin
from tools.docs.layers import layers, picture
from tools.docs.links import broken, missing
from tools.docs.site import generated

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEMPLATES = sorted(
    set((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    - {ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"}
)
DOCUMENTS = sorted(
    {
        *ROOT.glob("*.md"),
        *(ROOT / "docs" / "pages").rglob("*.md"),
        *(ROOT / "tests").glob("*/README.md"),
        ROOT / "rules" / "README.md",
    }
)


def _steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_read_and_pin_their_actions(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}
    actions = [step["uses"] for step in _steps(workflow) if "uses" in step]
    assert actions
    assert [each for each in actions if not re.fullmatch(r"[\w-]+/[\w/-]+@(release/)?v\d+", each)] == []


@pytest.mark.parametrize("file", [*WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.name)
def test_no_expression_becomes_part_of_a_script(file: Path) -> None:
    data = yaml.safe_load(file.read_text())
    steps = data["runs"]["steps"] if "runs" in data else _steps(file)
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


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
    targets = [(document.parent / link).resolve() for link in links]
    assert [each for each in targets if not each.exists() and each not in _site()] == []


@cache
def _site() -> frozenset[Path]:
    """Pages that are generated when the site is built."""
    return frozenset(ROOT / "docs" / "pages" / path for path, _ in generated())


def test_every_rule_has_a_page_on_the_site() -> None:
    pages = dict(generated())
    for rule in builtin():
        page = pages[f"rules/{rule.slug}.md"]
        assert rule.url == f"{DOCS}rules/{rule.slug}/"
        assert f"\n# {rule.title}\n" in page
        fences = re.findall(r"^```.*$", page, re.MULTILINE)
        assert len(fences) % 2 == 0
        opened = [fence for fence in fences[::2] if fence.startswith("```nginx")]
        assert all(re.fullmatch(r'```nginx title="[^"]+"( hl_lines="[\d ]+")?', fence) for fence in opened)
        assert any('title="Bad' in fence for fence in opened)
        assert f"({rule.slug}.md)" in pages["rules/index.md"]
        assert f"({rule.slug}.md)".replace("(", "(../rules/") in pages["catalogue/severity.md"]


def test_the_site_shows_the_layers_of_the_contract() -> None:
    assert ["load", "request", "drill"] in layers()
    assert all(f">{name}</text>" in picture() for layer in layers() for name in layer)


def test_a_broken_link_of_the_site_is_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text(
        '<a href="a/#x"></a><a href="a/#y"></a><a href="https://example.org/"></a>'
    )
    (tmp_path / "a" / "index.html").write_text(f'<h1 id="x"></h1><a href="../b/"></a><a href="{DOCS}a/"></a>')
    assert broken(tmp_path, DOCS) == (4, ["a/index.html: ../b/", "index.html: a/#y"])
    assert missing(tmp_path, iter([f"{DOCS}a/", f"{DOCS}c/"]), DOCS) == [f"{DOCS}c/"]
