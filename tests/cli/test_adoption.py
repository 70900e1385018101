"""Commands for setting up: settings file, its schema, completion; several reports; statistics; watching; colours."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.engine.rules.selection import selected
from nginxaudit.engine.settings import SettingsError, load
from nginxaudit.engine.settings.document import sample_of, schema
from nginxaudit.engine.settings.record import FileSettings, described
from tests.support.clock import HANG
from tests.support.command import nginxaudit

TEXT = "events {}\nhttp {\n    autoindex on;\n    server { server_name a; }\n}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "nginx.conf"
    path.write_text(TEXT)
    return path


# -- settings


def test_init_writes_a_file_that_is_read_and_does_nothing_yet(tmp_path: Path) -> None:
    assert nginxaudit("init", cwd=tmp_path).returncode == 0
    path = tmp_path / "nginxaudit.toml"
    assert tomllib.loads(path.read_text()) == {}
    load(str(path))
    again = nginxaudit("init", cwd=tmp_path)
    assert again.returncode == 2 and "exists already" in again.stderr


def test_every_sample_of_the_file_is_valid(tmp_path: Path) -> None:
    (tmp_path / "nginx-rules").mkdir()
    check = Draft7Validator(schema(builtin()))
    for setting in described(FileSettings):
        text = "\n".join(sample_of(setting)) + "\n"
        path = tmp_path / "nginxaudit.toml"
        path.write_text(text)
        check.validate(tomllib.loads(text))
        load(str(path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        'edition = "free"',
        "selekt = []",
        'select = "ALL"',
        '[rule.server-tokens]\nseverity = "bad"',
        "[upstreams.a]\nx = 1",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text: str, tmp_path: Path) -> None:
    assert list(Draft7Validator(schema(builtin())).iter_errors(tomllib.loads(text)))
    (tmp_path / "nginxaudit.toml").write_text(text)
    with pytest.raises(SettingsError):
        selected(builtin(), load(str(tmp_path / "nginxaudit.toml")))


# -- several reports


@pytest.mark.slow
def test_several_reports_of_one_run(config: Path) -> None:
    run = nginxaudit("scan", "nginx.conf", "-o", "sarif:a.sarif", "-o", "junit:b.xml", cwd=config.parent)
    assert run.returncode == 1 and "autoindex-enabled" in run.stdout
    assert json.loads((config.parent / "a.sarif").read_text())["version"] == "2.1.0"
    assert (config.parent / "b.xml").read_text().startswith("<?xml")


@pytest.mark.slow
def test_a_file_without_a_format_takes_the_place_of_standard_output(config: Path) -> None:
    run = nginxaudit(
        "scan", "nginx.conf", "-f", "json", "-o", "a.json", "-o", "html:b.html", cwd=config.parent
    )
    assert run.stdout == ""
    assert json.loads((config.parent / "a.json").read_text())["schema_version"] == 1
    assert (config.parent / "b.html").read_text().startswith("<!doctype html>")


def test_a_report_that_cannot_be_written_is_said_before_any_is(config: Path) -> None:
    run = nginxaudit("scan", "nginx.conf", "-o", "sarif:a.sarif", "-o", "junit:none/b.xml", cwd=config.parent)
    assert run.returncode == 2 and "none/b.xml" in run.stderr
    assert not (config.parent / "a.sarif").exists()


def test_what_is_no_file_is_written_to_and_never_replaced(config: Path) -> None:
    fifo, link, real = (config.parent / name for name in ("fifo", "link.json", "real.json"))
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", str(fifo)], stdout=subprocess.PIPE, text=True)
    assert nginxaudit("scan", str(config), "-f", "concise", "-o", str(fifo)).returncode == 1
    assert "autoindex-enabled" in reader.communicate(timeout=HANG)[0]
    assert fifo.is_fifo()
    link.symlink_to(real)
    nginxaudit("scan", str(config), "-f", "json", "-o", str(link))
    assert link.is_symlink() and json.loads(real.read_text())["findings"]
    nginxaudit("scan", str(config), "-o", os.devnull)
    assert Path(os.devnull).is_char_device()


def test_inside_actions_the_format_is_github_unless_one_is_given(config: Path) -> None:
    inside = {"GITHUB_ACTIONS": "true"}
    assert nginxaudit("scan", str(config), env=inside).stdout.startswith("::")
    assert "::" not in nginxaudit("scan", str(config), "-f", "concise", env=inside).stdout.replace(":3:", "")


# -- statistics, colours


def test_statistics(config: Path) -> None:
    run = nginxaudit("scan", "--statistics", str(config))
    assert run.returncode == 1
    assert "      1 [" in run.stdout and "autoindex-enabled" in run.stdout
    rows = json.loads(nginxaudit("scan", "--statistics", "-f", "json", str(config)).stdout)
    assert {"rule", "severity", "count", "fixable", "suggestions"} == set(rows[0])
    refused = nginxaudit("scan", "--statistics", "-f", "sarif", str(config))
    assert refused.returncode == 2


@pytest.mark.parametrize(
    ("options", "env", "colored"),
    [
        ((), {}, False),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours(options: tuple[str, ...], env: dict[str, str], colored: bool, config: Path) -> None:
    assert ("\x1b[" in nginxaudit("scan", *options, str(config), env=env).stdout) is colored


# -- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_and_installed(shell: str, tmp_path: Path) -> None:
    printed = nginxaudit("completion", shell)
    assert "_NGINXAUDIT_COMPLETE" in printed.stdout
    done = nginxaudit("completion", "--install", env={"HOME": str(tmp_path), "SHELL": f"/bin/{shell}"})
    assert done.returncode == 0, done.stderr
    (written,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written.read_text() == printed.stdout.removesuffix("\n")


def test_completion_completes() -> None:
    done = nginxaudit(
        env={"_NGINXAUDIT_COMPLETE": "bash_complete", "COMP_WORDS": "nginxaudit bas", "COMP_CWORD": "1"}
    )
    assert "baseline" in done.stdout


# -- progress


def test_progress_is_shown_on_a_terminal_alone() -> None:
    code = (
        "import time; from nginxaudit.cli import progress\n"
        "progress._AFTER = 0.0; progress._EVERY = 0.0\n"
        "p = progress.Progress(); time.sleep(0.01); p(0, 2, 'a\\x1b[31m.conf'); p.end()"
    )
    silent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert silent.stderr == ""
    master, slave = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stderr=slave, check=True)
    os.close(slave)
    shown = b""
    while select.select([master], [], [], 0.2)[0]:  # it has ended: what it wrote is there
        try:
            shown += os.read(master, 4096)
        except OSError:
            break
    os.close(master)
    assert b"analysing 1 of 2: a\\x1b[31m.conf" in shown
    assert shown.endswith(b"\r\x1b[K")
