"""What README and the pages of the site show: outputs of commands, tables, and pictures. ``python -m tests.expected`` makes all of it anew."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from nginxaudit.engine.rules.rule import CheckTable, FrontMatter, Option, RepairTable
from nginxaudit.engine.settings.document import fields_table, limits_table, settings_table

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "fixtures" / "pictures"
PAGE = PICTURES / "page.png"
_OUTPUT = re.compile(r"<!-- output: nginxaudit (.*?) -->\n```text\n(.*?)```\n<!-- end -->", re.DOTALL)
_TABLE = re.compile(r"<!-- table: (.*?) -->\n(.*?)<!-- end -->", re.DOTALL)
DEPLOYMENTS = ROOT / "fixtures" / "deployments"
MEASURED = ROOT / "tests" / "live" / "drill_deployments.json"
_NOT_OURS = ("COLUMNS", "FORCE_HYPERLINK", "FORCE_COLOR", "NO_COLOR", "CI", "GITHUB_ACTIONS")


def run(command: str, *, color: bool = False) -> str:
    """What ``nginxaudit COMMAND`` prints in the repository."""
    environment = {key: value for key, value in os.environ.items() if key not in _NOT_OURS}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "nginxaudit",
            *shlex.split(command),
            *(["--color", "always"] if color else []),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def documents() -> list[Path]:
    """README and the pages of the site that people wrote."""
    return [ROOT / "README.md", *sorted((ROOT / "docs" / "pages").rglob("*.md"))]


def shown_in(document: Path) -> str:
    """``document`` with the outputs of its commands and its tables as they are now."""
    text = with_tables(document.read_text(encoding="utf-8"))
    return _OUTPUT.sub(
        lambda m: f"<!-- output: nginxaudit {m[1]} -->\n```text\n{_printed(m[1])}```\n<!-- end -->", text
    )


def _printed(command: str) -> str:
    """What ``COMMAND`` prints; of ``COMMAND | grep WORD`` the lines with the word."""
    command, _, word = command.partition(" | grep ")
    return "".join(line for line in run(command).splitlines(keepends=True) if word in line)


def rule_pages() -> str:
    """The description of rule pages with its tables as they are now."""
    return with_tables((ROOT / "rules" / "README.md").read_text(encoding="utf-8"))


def with_tables(text: str) -> str:
    """``text`` with the tables that are made from something else."""
    return _TABLE.sub(lambda m: f"<!-- table: {m[1]} -->\n{_TABLES[m[1]]()}<!-- end -->", text)


def rolling_restarts() -> str:
    """What each deployment loses in a rolling restart: predicted, and measured where that has been done.

    `MEASURED` maps names of deployments to ``requests``, ``failed`` and ``retried`` of a running nginx, and to
    what is ``predicted`` for that very run, in which all times are a fifth.
    """
    paths = " ".join(f"fixtures/deployments/{path.name}" for path in sorted(DEPLOYMENTS.glob("*.conf")))
    command = f"drill --no-settings --format json --scenario rolling --fail-on never {paths}"
    predicted = {Path(each["file"]).stem: each for each in json.loads(run(command))["scenarios"]}
    measured = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
    names = ["deployment", "loses", *(["in a fifth of the time", "measured"] if measured else [])]
    rows = [names, ["---", *["---:"] * (len(names) - 1)]]
    for name, each in sorted(predicted.items()):
        row = [f"`{name}.conf`", f"{each['lost']} of {each['requests']}"]
        found = measured.get(name, {})
        if measured:
            row += [_lost(found.get("predicted")), _lost(found)]
        rows.append(row)
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _action(key: str) -> str:
    """The inputs or outputs of the action for GitHub."""
    import yaml

    described = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))[key]
    names = [key.removesuffix("s"), *(["default"] if key == "inputs" else []), ""]
    rows = [names, ["---"] * len(names)]
    for name, each in described.items():
        default = [f"`{each['default']}`" if each["default"] else ""] if key == "inputs" else []
        rows.append([f"`{name}`", *default, each["description"]])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


_TABLES = {
    "action inputs": lambda: _action("inputs"),
    "action outputs": lambda: _action("outputs"),
    "rolling restart": rolling_restarts,
    "settings": settings_table,
    "limits": limits_table,
    "front matter": lambda: fields_table(FrontMatter),
    "check": lambda: fields_table(CheckTable),
    "repair": lambda: fields_table(RepairTable),
    "option": lambda: fields_table(Option),
}


def _lost(found: dict[str, int] | None) -> str:
    return f"{found['failed']} of {found['requests']}" if found else "–"


def pictures() -> dict[Path, Callable[[], str]]:
    """The pictures that are text (SVG), and what makes them."""
    command = "scan --select undefined-upstream,unreachable-backup,alias-traversal fixtures/etc-nginx"
    return {
        PICTURES / "graph.svg": partial(run, "graph --format svg fixtures/etc-nginx"),
        PICTURES / "report.svg": partial(terminal, command),
    }


def terminal(command: str) -> str:
    """A terminal with ``command`` and what it prints, in colour."""
    console = Console(record=True, width=100, file=io.StringIO(), color_system="truecolor")
    console.print(Text(f"$ nginxaudit {command}\n"))
    console.print(Text.from_ansi(run(command, color=True)))
    return console.export_svg(title="nginxaudit")


def photograph() -> bool:
    """Take the picture of the HTML report with a browser. False where there is none."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "report.html"
        page.write_text(run("scan --format html fixtures/etc-nginx"), encoding="utf-8")
        subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,900", f"--screenshot={PAGE}", f"file://{page}"],
            check=True,
            capture_output=True,
        )  # fmt: skip
    return True
