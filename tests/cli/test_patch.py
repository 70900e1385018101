"""``scan --diff``: a patch that ``patch`` and ``git apply`` take as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import nginxaudit

FIXABLE = b"events {}\nhttp {\n    autoindex on;\n    server {\n        listen 80;\n    }\n}\n"


def _written(path: Path, text: bytes = FIXABLE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return path


def _applied(patch: str, directory: Path) -> None:
    subprocess.run(
        ["patch", "-sp0"], cwd=directory, input=patch.encode("utf-8", "surrogateescape"), check=True
    )


def _is_fixed(*files: Path) -> bool:
    return all(b"autoindex" not in file.read_bytes() for file in files)


@pytest.mark.parametrize(
    "spelling", ["nginx.conf", "./sub/../nginx.conf", "{here}/nginx.conf", "../here/nginx.conf"]
)
def test_names_are_relative_to_the_working_directory(spelling: str, tmp_path: Path) -> None:
    here = tmp_path / "here"
    (here / "sub").mkdir(parents=True)
    file = _written(here / "nginx.conf")
    run = nginxaudit("scan", "--diff", "--unsafe-fixes", spelling.format(here=here), cwd=here)
    assert run.stdout.startswith("--- nginx.conf\n+++ nginx.conf\n")
    _applied(run.stdout, here)
    assert _is_fixed(file)


def test_files_outside_have_one_base_that_is_said(tmp_path: Path) -> None:
    one, two = _written(tmp_path / "a/nginx.conf"), _written(tmp_path / "b/nginx.conf")
    run = nginxaudit("scan", "--diff", "--unsafe-fixes", ".", "../b", cwd=tmp_path / "a")
    assert "--- a/nginx.conf\n" in run.stdout and "--- b/nginx.conf\n" in run.stdout
    assert f"apply it with patch -p0 -d {tmp_path}" in run.stderr
    _applied(run.stdout, tmp_path)
    assert _is_fixed(one, two)


@pytest.mark.parametrize(
    "name", ["a b.conf", 'quote".conf', "back\\slash.conf", "tab\t.conf", "é.conf", "日 本.conf"]
)
def test_names_of_files(name: str, tmp_path: Path) -> None:
    file = _written(tmp_path / name)
    run = nginxaudit("scan", "--diff", "--unsafe-fixes", name, cwd=tmp_path)
    _applied(run.stdout, tmp_path)
    assert _is_fixed(file)


@pytest.mark.parametrize("odd", ["\u2028", "\u0085", "\x0c", "\x0b", "\x1c", "\r"])
@pytest.mark.parametrize("end", ["\n", ""])
def test_texts(odd: str, end: str, tmp_path: Path) -> None:
    text = FIXABLE.rstrip(b"\n") + f" # a{odd}b{odd}{end}".encode()
    text = text.replace(b"events {}\n", f"# x{odd}y\nevents {{}}\n".encode())
    file = _written(tmp_path / "nginx.conf", text)
    run = subprocess.run(
        [*_COMMAND, "nginx.conf"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    subprocess.run(["patch", "-sp0"], cwd=tmp_path, input=run.stdout, check=True)
    patched = file.read_bytes()
    assert b"autoindex" not in patched
    file.write_bytes(text)
    nginxaudit("scan", "--fix", "--unsafe-fixes", "nginx.conf", cwd=tmp_path)
    assert file.read_bytes() == patched


_COMMAND = (sys.executable, "-m", "nginxaudit", "scan", "--diff", "--unsafe-fixes")


def test_a_format_is_refused(tmp_path: Path) -> None:
    _written(tmp_path / "nginx.conf")
    run = nginxaudit("scan", "--diff", "--format", "json", "nginx.conf", cwd=tmp_path)
    assert run.returncode == 2 and run.stdout == ""
    assert "--diff writes a patch, --format is for reports" in run.stderr
    run = nginxaudit("scan", "--diff", "--unsafe-fixes", "-o", "fix.patch", "nginx.conf", cwd=tmp_path)
    assert run.stdout == "" and (tmp_path / "fix.patch").read_text().startswith("--- nginx.conf\n")
