"""README's snippets work as they stand: shell commands run, YAML is what its readers want, TOML is read."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from nginxaudit.engine.routes import read_routes
from nginxaudit.engine.settings import load
from tests.support.clock import HANG

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def _yaml(key: str) -> Any:
    found = [data for kind, text in FENCES if kind == "yaml" and key in (data := yaml.safe_load(text))]
    assert len(found) == 1
    return found[0]


def _shell(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """``script`` in a copy of the fixtures, with the nginxaudit of this checkout as the command."""
    (directory / "bin").mkdir()
    command = directory / "bin" / "nginxaudit"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m nginxaudit "$@"\n')
    command.chmod(0o755)
    shutil.copytree(ROOT / "fixtures", directory / "fixtures")
    shutil.copytree(ROOT / "fixtures" / "etc-nginx", directory / "nginx")
    shutil.copy(ROOT / "fixtures" / "deployments" / "active-active-fixed.conf", directory / "nginx.conf")
    text = (directory / "nginx.conf").read_bytes()
    (directory / "nginx.conf.gz").write_bytes(gzip.compress(text))
    (directory / "dump.gz").write_bytes(
        gzip.compress(b"# configuration file /etc/nginx/nginx.conf:\n" + text)
    )
    (directory / "deploy").mkdir()
    shutil.copy(ROOT / "fixtures" / "kubernetes" / "configmap.yaml", directory / "deploy")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
        env={**environment, "PYTHONPATH": str(ROOT), "PATH": f"{directory / 'bin'}:{os.environ['PATH']}"},
    )


def _commands() -> list[str]:
    """Lines of shell fences that need nothing but nginxaudit and the fixtures."""
    lines = [
        line.split("  #")[0].strip() for kind, text in FENCES if kind == "sh" for line in text.splitlines()
    ]
    return [
        line
        for line in lines
        if line.startswith("nginxaudit ")
        and "--watch" not in line
        and "--git" not in line
        and "/etc/nginx" not in line
    ]


@pytest.mark.slow
def test_shell_commands_run(tmp_path: Path) -> None:
    commands = _commands()
    assert len(commands) > 8
    script = "\n".join(
        f'{command} || [ $? -eq 1 ] || {{ echo "FAILED: {command}"; exit 9; }}' for command in commands
    )
    done = _shell(script, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert (tmp_path / "nginxaudit-baseline.json").exists()


@pytest.mark.slow
def test_the_workflow_of_github_writes_what_it_uploads(tmp_path: Path) -> None:
    workflow = _yaml("jobs")
    assert set(workflow) == {"name", True, "permissions", "jobs"}  # YAML 1.1 reads "on" as true
    steps = workflow["jobs"]["nginxaudit"]["steps"]
    (scan,) = [step["run"] for step in steps if step.get("run", "").startswith("nginxaudit")]
    upload = steps[-1]
    assert upload["uses"].startswith("github/codeql-action/upload-sarif@") and upload["if"] == "always()"
    done = _shell(scan, tmp_path)
    assert done.returncode == 1, done.stderr  # findings fail the job; what was found is uploaded all the same
    assert (tmp_path / upload["with"]["sarif_file"]).exists()


@pytest.mark.slow
def test_the_job_of_gitlab_writes_its_artifacts(tmp_path: Path) -> None:
    job = _yaml("nginxaudit")["nginxaudit"]
    assert job["artifacts"]["when"] == "always"
    (scan,) = [line for line in job["script"] if line.startswith("nginxaudit")]
    assert _shell(scan, tmp_path).returncode == 1
    assert all((tmp_path / name).exists() for name in job["artifacts"]["reports"].values())


def test_the_hooks_of_pre_commit_are_there() -> None:
    (repo,) = _yaml("repos")["repos"]
    known = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {hook["id"] for hook in repo["hooks"]} <= known


def test_the_settings_are_read(tmp_path: Path) -> None:
    tables = [text for kind, text in FENCES if kind == "toml" and not text.startswith("# nginx-routes.toml")]
    assert tables
    for text in tables:
        assert tomllib.loads(text)
        (tmp_path / "nginxaudit.toml").write_text(text)
        load(str(tmp_path / "nginxaudit.toml"))


def test_routing_tests_are_read(tmp_path: Path) -> None:
    (text,) = [text for kind, text in FENCES if kind == "toml" and text.startswith("# nginx-routes.toml")]
    (tmp_path / "nginx-routes.toml").write_text(text)
    assert len(read_routes(str(tmp_path / "nginx-routes.toml")).routes.route) == 2


def test_python_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = [text for kind, text in FENCES if kind == "python"]
    exec(text.replace('"/etc/nginx"', repr(str(ROOT / "fixtures" / "etc-nginx"))), {})
    assert "undefined-upstream" in capsys.readouterr().out
