"""One command: makes the workloads, runs all tools on them, prints and writes the table."""

from __future__ import annotations

import argparse
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from tests.benchmarks.measure import Row, Tool, compare
from tests.benchmarks.workloads import Workload, workloads

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = {"gixy-next": "0.9.0", "gixy-ng": "0.2.59"}
_TABLE = "<!-- table -->"
_SLOPE = (500, 5000)


def main() -> None:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="workloads whose name contains this")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--budget", type=float, default=90, help="seconds for a workload; one run each takes place"
    )
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    tools = _tools()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for workload in workloads(Path(scratch), options.only):
            rows += compare(workload, tools, options.repeats, options.budget)
            for row in rows[-len(tools) :]:
                if row.workload == workload.name:
                    print(
                        f"{row.workload:16} {row.tool:12} {row.seconds:8.3f} s {row.memory:7.0f} MiB {row.ratio:7.2f}"
                    )
    table = _table(rows)
    print(f"\n{table}")
    if options.write:
        readme = HERE / "README.md"
        head, _, _ = readme.read_text(encoding="utf-8").partition(_TABLE)
        readme.write_text(f"{head}{_TABLE}\n\n{table}", encoding="utf-8")


def _tools() -> list[Tool]:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    ours = [_own(), "scan", "--no-settings", "--format", "text"]
    tools = [Tool("nginxaudit", lambda work: [[*ours, *map(str, work.paths)]])]
    for name, version in PEERS.items():
        gixy = _peer(name, version)
        tools.append(Tool(name, lambda work, gixy=gixy: [[gixy, str(path)] for path in work.paths]))  # type: ignore[misc]
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx:
        tools.append(Tool("nginx -t", lambda work: _nginx(nginx, work)))
    return tools


def _own() -> str:
    """The command of this tree as a user has it: installed, without what the tests need, like the peers."""
    place = HERE / ".peers" / "nginxaudit"
    known = (place / "bin" / "nginxaudit").exists()
    _install(place, str(ROOT), *(("--no-deps", "--force-reinstall") if known else ()))
    return str(place / "bin" / "nginxaudit")


def _peer(name: str, version: str) -> str:
    """The command ``gixy`` of a peer, in a virtual environment of its own below ``.peers/``."""
    place = HERE / ".peers" / f"{name}-{version}"
    if not (place / "bin" / "gixy").exists():
        _install(place, f"{name}=={version}")
    return str(place / "bin" / "gixy")


def _install(place: Path, *what: str) -> None:
    if not place.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    subprocess.run([str(place / "bin" / "pip"), "install", "-q", *what], check=True)


def _nginx(nginx: str, work: Workload) -> Sequence[Sequence[str]]:
    """``nginx -t`` needs certificates and a directory for each of them: only what has none is judged by it."""
    if work.is_dump or "ssl_certificate" in work.paths[0].read_text():
        return []
    directory = work.paths[0].parent
    (directory / "logs").mkdir(exist_ok=True)
    return [[nginx, "-t", "-q", "-p", str(directory), "-c", str(path)] for path in work.paths]


def _table(rows: Sequence[Row]) -> str:
    lines = [
        f"{date.today().isoformat()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}.",
        "",
        "| workload | tool | runs | time | peak memory | time / nginxaudit's |",
        "|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.workload} | {row.tool} | {row.runs} | {row.seconds:.3f} s | {row.memory:.0f} MiB | {row.ratio:.2f} |"
        for row in rows
    ]
    lines += ["", *_growth(rows)]
    return "\n".join(lines) + "\n"


def _growth(rows: Sequence[Row]) -> list[str]:
    """How time and memory grow from 500 to 5,000 servers: the exponent of the number of servers."""
    found = {(row.tool, row.workload): row for row in rows}
    lines = []
    for tool in dict.fromkeys(row.tool for row in rows):
        few, many = (found.get((tool, f"servers-{count}")) for count in _SLOPE)
        if few and many:
            scale = math.log(_SLOPE[1] / _SLOPE[0])
            time = math.log(many.seconds / few.seconds) / scale
            memory = math.log(many.memory / few.memory) / scale
            lines.append(
                f"- {tool}: from {_SLOPE[0]} to {_SLOPE[1]} servers time grows with exponent {time:.2f}, memory with {memory:.2f}"
            )
    return lines


if __name__ == "__main__":
    main()
