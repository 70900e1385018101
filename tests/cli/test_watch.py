"""``scan --watch``: what makes it scan again, and that it may run for days."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nginxaudit.cli import main, watching

MAIN = "events {}\nhttp {\n    include conf.d/*.conf;\n    include sites/*;\n}\n"
OPEN = "server { listen 8080; location /files { autoindex on; } }\n"
PAGE = """+++
id = "OWN1"
severity = "error"
confidence = "high"
[check]
directive = "autoindex"
message = "{0}"
+++
# Own

## What it does
x

## Why it matters
x

## How to fix
x

## When to ignore it
x
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nginx.conf").write_text(MAIN)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/a.conf").write_text("server { listen 8081; return 404; }\n")
    return tmp_path


class _Changes:
    """In place of waiting: makes one change after the other, then Ctrl-C."""

    def __init__(self, changes: list[Callable[[], object]], output: Callable[[], str]) -> None:
        self._changes = iter(changes)
        self._output = output
        self.said: list[str] = []

    def sleep(self, _: float) -> None:
        text = self._output()
        if text:
            self.said.append(text)
        change = next(self._changes, None)
        if change is None:
            raise KeyboardInterrupt
        change()


def _watched(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    changes: list[Callable[[], object]],
    *args: str,
) -> list[str]:
    done = _Changes(changes, lambda: "".join(capfd.readouterr()))
    monkeypatch.setattr(watching.time, "sleep", done.sleep)
    monkeypatch.setattr(sys, "argv", ["nginxaudit", "scan", "--watch", "-f", "concise", *args])
    assert main.run() == 0
    return done.said


@pytest.mark.parametrize("path", ["nginx.conf", "."])
def test_new_and_deleted_files_count(
    path: str, tree: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    new = tree / "conf.d/new.conf"
    site = tree / "sites/shop.example.com"
    said = _watched(
        monkeypatch,
        capfd,
        [
            lambda: new.write_text(OPEN),
            new.unlink,
            site.parent.mkdir,
            lambda: site.write_text(OPEN),
        ],
        path,
    )
    assert len(said) == 5
    found = ["autoindex-enabled" in text for text in said]
    assert found == [False, True, False, False, True]


def test_settings_and_pages_count(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tree / "conf.d/a.conf").write_text(OPEN)
    settings = tree / "nginxaudit.toml"
    page = tree / "pages/style/own-one.md"
    page.parent.mkdir(parents=True)
    page.write_text(PAGE.format("first words"))
    said = _watched(
        monkeypatch,
        capfd,
        [
            lambda: settings.write_text('ignore = ["autoindex-enabled"]\n'),
            lambda: settings.write_text('ignore = ["autoindex-enable"]\n'),
            lambda: settings.write_text('rules = ["pages"]\n'),
            lambda: page.write_text(PAGE.format("second words")),
            settings.unlink,
        ],
        "nginx.conf",
    )
    assert len(said) == 6
    assert "autoindex-enabled" in said[0]
    assert "autoindex-enabled" not in said[1]
    assert "unknown rule" in said[2]
    assert "first words" in said[3]
    assert "second words" in said[4]
    assert "words" not in said[5]


def test_all_that_the_options_name_and_changes_that_keep_the_time_count(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    conf = tree / "conf.d/a.conf"
    elsewhere = tree.parent / f"{tree.name}-elsewhere"
    elsewhere.mkdir()
    version, baseline = elsewhere / "nginx-V", elsewhere / "baseline"
    baseline.write_text('{"baseline_version": 1, "findings": []}')
    version.write_text("nginx version: nginx/1.22.1\nconfigure arguments:\n")

    def rewrite() -> None:
        status = conf.stat()
        conf.write_text(OPEN)
        os.utime(conf, ns=(status.st_atime_ns, status.st_mtime_ns))

    said = _watched(
        monkeypatch,
        capfd,
        [
            rewrite,
            lambda: version.write_text("nginx version: nginx/1.18.0\nconfigure arguments:\n"),
            lambda: baseline.write_text('{"baseline_version": 1, "findings": [{}]}'),
            baseline.unlink,
        ],
        *("--nginx-v", str(version), "--baseline", str(baseline)),
        "nginx.conf",
    )
    assert len(said) == 5
    assert "autoindex-enabled" in said[1]
    assert "expected, each a text" in said[3]
    assert "nginxaudit baseline write makes one" in said[4]


def test_a_report_in_the_tree_is_no_change(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said = _watched(monkeypatch, capfd, [lambda: None, lambda: None], "-o", "json:report.json", ".")
    assert len(said) == 1


@pytest.mark.slow
def test_memory_stays_flat(tree: Path) -> None:
    (tree / "conf.d/a.conf").write_text(
        "".join(OPEN.replace("8080", str(port)) for port in range(1000, 1200))
    )
    code = """
import os, sys
from nginxaudit.cli import main, watching
resident = []
def change(_):
    with open("/proc/self/statm") as file:
        resident.append(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 10)
    if len(resident) == 100:
        raise KeyboardInterrupt
    with open("conf.d/b.conf", "w") as file:
        file.write(f"server {{ listen {len(resident) + 2000}; return 404; }}")
watching.time.sleep = change
import gc
gc.disable()
sys.argv = ["nginxaudit", "scan", "--watch", "-j", "1", "-f", "concise", "nginx.conf"]
main.run()
print(max(resident[:30]), max(resident[-30:]), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    early, late = map(int, done.stderr.split()[-2:])
    assert late - early < 2_000  # KiB, in 70 scans: less than 30 KiB a scan


@pytest.mark.slow
def test_ctrl_c_ends_it(tree: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "nginxaudit", "scan", "--watch", "-f", "concise", "nginx.conf"],
        stdout=subprocess.PIPE,
        text=True,
        # Tests that a script runs in the background inherit that SIGINT is ignored; a terminal's program does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        _until(process, "Waiting for changes")
        (tree / "conf.d/new.conf").write_text(OPEN)
        assert "autoindex-enabled" in _until(process, "Waiting for changes")
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


def _until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError("".join(lines))
