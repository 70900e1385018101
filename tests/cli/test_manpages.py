"""Manual pages say what the help says, and roff reads them without a complaint."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from nginxaudit.cli.main import main as program
from tools import manpages

PAGES = dict(manpages.pages())
CONTEXT = click.Context(program, info_name="nginxaudit")
NAMES = program.list_commands(CONTEXT)


def test_every_command_has_a_page(tmp_path: Path) -> None:
    assert set(PAGES) == {"nginxaudit.1", *(f"nginxaudit-{name}.1" for name in NAMES)}
    assert sorted(path.name for path in manpages.write(tmp_path / "man")) == sorted(PAGES)
    assert (tmp_path / "man" / "nginxaudit.1").read_text() == PAGES["nginxaudit.1"]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_all_options(name: str) -> None:
    command = program.get_command(CONTEXT, name)
    assert command is not None
    text = PAGES[f"nginxaudit-{name}.1"].replace("\\-", "-")
    options = [each for param in command.params if isinstance(param, click.Option) for each in param.opts]
    assert [each for each in options if f"{each}" not in text] == []
    assert text.startswith(f".TH NGINXAUDIT-{name.upper()} 1 ")
    assert ".SH NAME\n" in text and ".SH SYNOPSIS\n" in text and ".SH DESCRIPTION\n" in text
    assert "\b" not in text


def test_examples_keep_their_lines() -> None:
    text = PAGES["nginxaudit-scan.1"]
    assert re.search(
        r"^\.SH EXIT CODES\n\.nf\n  0  nothing at or above \\-\\-fail\\-on\n", text, re.MULTILINE
    )
    assert ".SH EXAMPLES\n.nf\n  nginxaudit scan /etc/nginx\n" in text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_roff_has_no_complaint(tmp_path: Path) -> None:
    paths = map(str, manpages.write(tmp_path))
    run = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", *paths], capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    assert "--min-severity" in re.sub(".\b", "", run.stdout)  # struck twice: bold
