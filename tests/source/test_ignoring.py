"""What is left out of a directory: held to git itself, which is asked about the same trees."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from nginxaudit.engine.run.audit import audit
from nginxaudit.engine.settings import Settings
from nginxaudit.source.ignoring import Ignoring, decision, pattern_of, patterns_of

SITE = "server {\n    listen 80;\n    location /files { alias /srv/files/; }\n}\n"
PATTERNS = (
    "*.conf", "!b.conf", "d/", "/d", "d/*.conf", "**/b.conf", "d/**", "d/**/b.conf", "!d/e/", "a?conf", "[ab].conf", "[!a].conf",
    "# d", "\\#x.conf", "\\!x.conf", "b.conf  ", "e", "/e/", "*", "!*/", "d/e/b.conf", "/**/a.conf", "**", "\\a.conf", "!", "/", "a*f",
)  # fmt: skip
FILES = ("a.conf", "b.conf", "#x.conf", "!x.conf", "d/a.conf", "d/b.conf", "d/e/a.conf", "d/e/b.conf", "e/a.conf", "e/d/b.conf", "x/d")  # fmt: skip


@pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")
def test_as_git_does(tmp_path: Path) -> None:
    random_of = random.Random(7)
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    for _ in range(120):
        top = random_of.sample(PATTERNS, random_of.randint(1, 4))
        inner = random_of.sample(PATTERNS, random_of.randint(0, 2))
        (tmp_path / ".gitignore").write_text("\n".join(top) + "\n")
        (tmp_path / "d" / ".gitignore").write_text("\n".join(inner) + "\n")
        said = subprocess.run(
            ["git", "-c", "core.excludesFile=/dev/null", "ls-files", "-o", "--exclude-standard"],
            cwd=tmp_path, check=True, capture_output=True, text=True,
        ).stdout.split("\n")  # fmt: skip
        kept = {name.strip('"') for name in said}
        assert _kept(tmp_path) == {name for name in FILES if name in kept}, (top, inner)


def _kept(top: Path) -> set[str]:
    ignoring = Ignoring(str(top), (), ".")
    kept = set()
    for base, directories, files in os.walk(top):
        directories[:] = [
            name
            for name in directories
            if name != ".git" and not ignoring.leaves_out(f"{base}/{name}", f"{base}/{name}", directory=True)
        ]
        kept |= {
            f"{base}/{name}" for name in files if not ignoring.leaves_out(f"{base}/{name}", f"{base}/{name}")
        }
    return {os.path.relpath(path, top) for path in kept if os.path.basename(path) != ".gitignore"}


def test_patterns_take_no_time() -> None:
    pattern = pattern_of("/".join(["**"] * 50 + ["a*" * 50 + "b"]))
    assert pattern is not None
    assert not pattern.matches(["a" * 200] * 50)
    assert decision(patterns_of(["*" * 100 + "b"]), ["a" * 4000], directory=False) is None


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("sites/a.example", "sites/b.conf.sample", "build/c.conf", ".hidden/d.inc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(SITE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(*paths: str, **settings: object) -> set[str]:
    return {file.path for file in audit(paths, Settings(**settings)).files}  # type: ignore[arg-type]


def test_a_search_finds_every_name(tree: Path) -> None:
    assert read(".") == {"sites/a.example", "sites/b.conf.sample", "build/c.conf", ".hidden/d.inc"}


@pytest.mark.parametrize("exclude", ["*.sample", "sites/*.sample", "b.conf.*", "/sites/b.conf.sample"])
def test_exclude(exclude: str, tree: Path) -> None:
    assert "sites/b.conf.sample" not in read(".", exclude=(exclude,))
    assert "sites/a.example" in read(".", exclude=(exclude,))


def test_what_is_named_is_read(tree: Path) -> None:
    assert read("sites/b.conf.sample", exclude=("*.sample",)) == {"sites/b.conf.sample"}
    (tree / ".gitignore").write_text("build/\n")
    assert "build/c.conf" not in read(".")
    assert read("build/c.conf") == read("build") == {"build/c.conf"}
    report = audit(["."], Settings())
    assert any("build" in remark and "excluded" in remark for remark in report.remarks)


def test_a_changed_file_that_is_excluded_is_not(tree: Path) -> None:
    report = audit(["build/c.conf", "sites/a.example"], Settings(exclude=("build/",), changed=True))
    assert "build/c.conf" not in {file.path for file in report.files}


def test_a_gitignore_that_is_a_link_is_not_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path.parent / "outside-ignore").write_text("*\n")
    (tree / ".gitignore").symlink_to("../outside-ignore")
    assert "build/c.conf" in read(".")
