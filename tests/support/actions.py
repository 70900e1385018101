"""The steps of a composite action, run as the runner of GitHub runs them: expressions filled in, files for outputs and the summary."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from tests.support.clock import HANG

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


class Ran(Struct):
    """What the steps left: exit code of the last one that ran, printed text, outputs of the action, the summary, uses of other actions."""

    code: int
    printed: str
    outputs: dict[str, str]
    summary: str
    used: list[str]


def run_action(
    directory: Path, scratch: Path, given: Mapping[str, str], *, python: str, install: bool, action: Path
) -> Ran:
    """Run the action in the repository ``directory``. Without ``install`` its step *Install* is passed over: ``scratch`` has the command."""
    described = yaml.safe_load(action.read_text(encoding="utf-8"))
    values = {f"inputs.{name}": each.get("default", "") for name, each in described["inputs"].items()}
    values |= {f"inputs.{name}": value for name, value in given.items()}
    values["steps.python.outputs.python-path"] = python
    summary = scratch / "summary.md"
    ran = Ran(0, "", {}, "", [])
    for step in described["runs"]["steps"]:
        if ran.code or not _holds(step.get("if", ""), values):
            continue
        if "uses" in step:
            ran.used.append(step["uses"])
            continue
        if not install and step.get("name", "").startswith("Install"):
            continue
        assert "${{" not in step["run"], "text of a workflow must not become part of a script"
        output = scratch / "output"
        output.write_text("")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
        environment |= {name: _filled(text, values) for name, text in step.get("env", {}).items()}
        environment |= {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(action.parent),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_WORKSPACE": str(directory),
            "RUNNER_TEMP": str(scratch),
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(
            command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=HANG
        )
        ran.code = done.returncode
        ran.printed += done.stdout + done.stderr
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            values[f"steps.{step['id']}.outputs.{name}"] = value
    ran.summary = summary.read_text(encoding="utf-8") if summary.exists() else ""
    ran.outputs = {name: _filled(each["value"], values) for name, each in described["outputs"].items()}
    return ran


def _filled(text: Any, values: Mapping[str, str]) -> str:
    """``text`` with its expressions replaced; what is not set is empty, as on GitHub."""
    return _EXPRESSION.sub(lambda match: values.get(match[1], ""), str(text))


def _holds(condition: str, values: Mapping[str, str]) -> bool:
    """Whether a condition of comparisons joined by ``&&`` holds."""
    for part in filter(None, condition.split(" && ")):
        found = re.fullmatch(r"(\S+) (==|!=) '(.*)'", part)
        assert found is not None, f"a condition that is not understood: {part}"
        if (values.get(found[1], "") == found[3]) is not (found[2] == "=="):
            return False
    return True
