"""The parts that others take as they are: the action for GitHub, the template for GitLab, the image, the release."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import nginxaudit
from tests.support.actions import Ran, run_action
from tests.support.clock import HANG

ROOT = Path(__file__).parent.parent
ACTION = ROOT / "action.yml"
pytestmark = pytest.mark.slow


def _command(path: Path) -> None:
    """The nginxaudit of this checkout as an installed command."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m nginxaudit "$@"\n')
    path.chmod(0o755)


def _action(tmp_path: Path, **given: str) -> Ran:
    repository, scratch = tmp_path / "repository", tmp_path / "runner"
    if not repository.exists():
        shutil.copytree(ROOT / "fixtures" / "etc-nginx", repository / "nginx", symlinks=True)
    _command(scratch / "nginxaudit" / "bin" / "nginxaudit")
    inputs = {name.replace("_", "-"): value for name, value in given.items()}
    return run_action(repository, scratch, inputs, python=sys.executable, install=False, action=ACTION)


def test_the_action_annotates_uploads_and_sums_up(tmp_path: Path) -> None:
    ran = _action(tmp_path, paths="nginx")
    assert ran.code == 1, ran.printed
    assert "::warning file=nginx/sites-available/shop.conf,line=22," in ran.printed
    assert ran.outputs["exit-code"] == "1"
    log = json.loads(Path(ran.outputs["sarif-file"]).read_text())
    uris = {
        each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for each in log["runs"][0]["results"]
    }
    assert "nginx/sites-available/shop.conf" in uris
    assert "undefined-upstream" in ran.summary
    assert [each.split("@")[0] for each in ran.used] == [
        "actions/setup-python",
        "github/codeql-action/upload-sarif",
    ]


def test_the_action_takes_its_inputs_as_data(tmp_path: Path) -> None:
    """Paths with spaces and with what a shell would run stay paths."""
    ran = _action(
        tmp_path,
        paths="nginx\n$(touch owned) x.conf; touch owned",
        fail_on="never",
        upload_sarif="false",
        annotations="false",
        summary="false",
        arguments="--select\nundefined-upstream\n",
    )
    assert not list(tmp_path.rglob("owned"))
    assert ran.outputs["exit-code"] == "3"  # there is no such file
    assert "::warning" not in ran.printed and "shop.conf:22" in ran.printed
    assert ran.summary == ""
    assert [each.split("@")[0] for each in ran.used] == ["actions/setup-python"]


def test_the_action_passes_without_findings(tmp_path: Path) -> None:
    ran = _action(tmp_path, paths="nginx", fail_on="never")
    assert (ran.code, ran.outputs["exit-code"]) == (0, "0"), ran.printed


def test_wrong_usage_fails_the_action_without_an_upload(tmp_path: Path) -> None:
    ran = _action(tmp_path, paths="nginx", arguments="--selct\nx")
    assert (ran.code, ran.outputs["exit-code"], ran.outputs["sarif-file"]) == (2, "2", "")
    assert len(ran.used) == 1


def test_the_job_of_gitlab_writes_its_artifacts(tmp_path: Path) -> None:
    job = yaml.safe_load((ROOT / ".gitlab-ci" / "nginxaudit.yml").read_text())["nginxaudit"]
    assert job["artifacts"]["when"] == "always"
    assert job["variables"]["NGINXAUDIT_SOURCE"].endswith(f"@v{nginxaudit.__version__}")
    shutil.copytree(ROOT / "fixtures" / "etc-nginx", tmp_path / "nginx")
    _command(tmp_path / "bin" / "nginxaudit")
    install, scan = job["script"]
    assert install == 'pip install --quiet "$NGINXAUDIT_SOURCE"'
    variables = {
        **job["variables"],
        "NGINXAUDIT_PATHS": "nginx",
        "NGINXAUDIT_ARGUMENTS": "--min-severity warning",
    }
    done = subprocess.run(
        ["bash", "-c", scan],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )
    assert done.returncode == 1, done.stderr
    assert all((tmp_path / name).exists() for name in job["artifacts"]["reports"].values())


def test_a_release_is_the_version_of_its_tag(tmp_path: Path) -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    (check,) = [
        step["run"]
        for step in workflow["jobs"]["build"]["steps"]
        if step.get("name") == "Tag and version agree"
    ]
    for tag, code in ((f"v{nginxaudit.__version__}", 0), ("v99.0.0", 1)):
        done = subprocess.run(
            ["bash", "-e", "-c", check],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "GITHUB_REF_NAME": tag},
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG,
        )
        assert done.returncode == code, done.stdout + done.stderr


def test_the_image_runs_without_root_and_copies_what_is_there() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    assert len(stages) == 2
    assert re.search(r"^USER [1-9]\d*(:\d+)?$", stages[-1], re.MULTILINE), "the user is a number and not root"
    assert re.search(r'^ENTRYPOINT \["/opt/nginxaudit/bin/nginxaudit"\]$', stages[-1], re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, f"{source} does not reach the builder"
