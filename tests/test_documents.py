"""Snippets of README and of the pages of the site work as they stand: commands run, YAML, TOML and Python are what their readers want."""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from nginxaudit.cli.main import main
from nginxaudit.engine.routes import read_routes
from nginxaudit.engine.settings import load
from tests.shown import documents

ROOT = Path(__file__).parent.parent
FENCES = [
    (document, kind, text)
    for document in documents()
    for kind, text in re.findall(
        r"^```(\w+)\n(.*?)^```$", document.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
]
_NOT_HERE = ("--watch", "--git ", "/etc/nginx", " - ", "web.tar")


def _snippets(kind: str, page: str | None = None) -> list[str]:
    return [text for document, each, text in FENCES if each == kind and page in (None, document.stem)]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the fixtures, with the files that snippets name."""
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures")
    shutil.copytree(ROOT / "fixtures" / "etc-nginx", tmp_path / "nginx")
    shutil.copy(ROOT / "fixtures" / "deployments" / "active-active-fixed.conf", tmp_path / "nginx.conf")
    text = (tmp_path / "nginx.conf").read_bytes()
    (tmp_path / "nginx.conf.gz").write_bytes(gzip.compress(text))
    dump = b"# configuration file /etc/nginx/nginx.conf:\n" + text
    (tmp_path / "dump.gz").write_bytes(gzip.compress(dump))
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "fixtures" / "kubernetes" / "configmap.yaml", tmp_path / "deploy")
    for name in ("GITHUB_ACTIONS", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _commands() -> Iterator[str]:
    """Lines of shell snippets that need nothing but nginxaudit and the fixtures, each once."""
    lines = [line.split("  #")[0].strip() for text in _snippets("sh") for line in text.splitlines()]
    for line in dict.fromkeys(line.removesuffix(" || true") for line in lines):
        if line.startswith("nginxaudit ") and not any(word in f"{line} " for word in _NOT_HERE):
            yield line


def _run(command: str) -> int:
    """The exit code of ``nginxaudit …``: with findings or without, never wrong usage."""
    done = CliRunner().invoke(main, shlex.split(command)[1:], standalone_mode=False)
    code = done.return_value or 0
    assert done.exception is None and code in (0, 1), f"{command}: {done.exception!r} {code}\n{done.output}"
    return int(code)


@pytest.mark.slow
def test_commands_run(directory: Path) -> None:
    commands = list(_commands())
    assert len(commands) > 25
    for command in commands:
        _run(command)
    assert (directory / "nginxaudit-baseline.json").exists()
    assert (directory / "nginxaudit.toml").exists()


def test_set_up_takes_two_commands() -> None:
    first, second, *_ = _snippets("sh", "README")
    assert first.startswith("python3 -m venv .venv && .venv/bin/pip install -e . && ")
    assert second == ".venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest -n auto\n"


def test_readme_is_short_and_names_no_package_index() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 130
    assert not re.search(r"pip install '?nginxaudit", text)


def test_the_workflow_without_the_action_writes_what_it_uploads(directory: Path) -> None:
    (steps,) = [
        data["steps"] for text in _snippets("yaml", "github") if "steps" in (data := yaml.safe_load(text))
    ]
    (scan,) = [step["run"] for step in steps if step.get("run", "").startswith("nginxaudit")]
    assert (
        steps[-1]["uses"].startswith("github/codeql-action/upload-sarif@") and steps[-1]["if"] == "always()"
    )
    assert _run(scan) == 1  # findings fail the job; what was found is uploaded all the same
    assert (directory / steps[-1]["with"]["sarif_file"]).exists()


def test_the_workflow_with_the_action_knows_its_inputs() -> None:
    (workflow,) = [data for text in _snippets("yaml", "github") if "jobs" in (data := yaml.safe_load(text))]
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert workflow["permissions"] == {"contents": "read", "security-events": "write"}
    (step,) = [each for each in workflow["jobs"]["nginxaudit"]["steps"] if "nginxaudit" in each["uses"]]
    assert set(step["with"]) <= set(action["inputs"])


def test_the_hooks_of_pre_commit_are_there() -> None:
    (text,) = _snippets("yaml", "pre-commit")
    (repo,) = yaml.safe_load(text)["repos"]
    known = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {hook["id"] for hook in repo["hooks"]} == known


def test_ansible_validates_a_file(directory: Path) -> None:
    tasks: list[Any] = [task for text in _snippets("yaml", "ansible") for task in yaml.safe_load(text)]
    (validate,) = [
        each["ansible.builtin.template"]["validate"] for each in tasks if "ansible.builtin.template" in each
    ]
    assert _run(validate % "nginx.conf") == 0
    (directory / "nginx.conf").write_text("events {}\nhttp {\n    sendfile maybe;\n}\n")
    assert _run(validate % "nginx.conf") == 1


def test_jenkins_writes_what_it_reads(directory: Path) -> None:
    (text,) = _snippets("groovy", "jenkins")
    (scan,) = re.findall(r"sh '(nginxaudit .*)'", text)
    assert _run(scan) == 1
    read = re.findall(r"junit '(.*)'|pattern: '(.*)'", text)
    assert len(read) == 2
    assert all((directory / (junit or checkstyle)).exists() for junit, checkstyle in read)


def test_the_settings_are_read(tmp_path: Path) -> None:
    tables = [text for text in _snippets("toml") if not text.startswith("# nginx-routes.toml")]
    assert len(tables) >= 2
    for text in tables:
        assert tomllib.loads(text)
        (tmp_path / "nginxaudit.toml").write_text(text)
        load(str(tmp_path / "nginxaudit.toml"))


def test_routing_tests_are_read(tmp_path: Path) -> None:
    (text,) = [text for text in _snippets("toml") if text.startswith("# nginx-routes.toml")]
    (tmp_path / "nginx-routes.toml").write_text(text)
    assert len(read_routes(str(tmp_path / "nginx-routes.toml")).routes.route) == 2


def test_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = _snippets("python", "api")
    exec(text.replace('"/etc/nginx"', repr(str(ROOT / "fixtures" / "etc-nginx"))), {})
    assert "undefined-upstream" in capsys.readouterr().out


def test_the_reader_of_json_runs(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def invoked(command: list[str], **_: object) -> object:
        class Done:
            stdout = CliRunner().invoke(main, command[1:]).stdout

        return Done

    (text,) = _snippets("python", "formats")
    monkeypatch.setattr("subprocess.run", invoked)
    exec(text, {})
    assert "undefined-upstream" in capsys.readouterr().out
