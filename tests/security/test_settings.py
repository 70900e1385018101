"""Settings files, rule pages and baselines of a repository are data: they read, run and change nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.security.tree import OUTSIDE
from tests.security.watched import Run, watched
from tests.support.clock import within
from tests.support.command import nginxaudit

PAGE = """+++
id = "XYZ0001"
severity = "warning"
confidence = "high"
{check}
+++
# A page of somebody

## What it does
It tells.

## Why it matters
It may.

## How to fix
Fix it.
"""
DECLARED = '[check]\ndirective = "root"\nmatches = "{pattern}"\nmessage = "found {{value}}"'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout with a configuration; beside it a directory that is not its business."""
    tree = tmp_path / "repository"
    for each in (tree / ".git", tree / "pages" / "security", tmp_path / "outside" / "pages" / "security"):
        each.mkdir(parents=True)
    outside = tmp_path / "outside"
    (outside / "nginx.conf").write_text(f"events {{}}\n{OUTSIDE} on;\n")
    (outside / "settings.toml").write_text(f'{OUTSIDE} = "on"\n')
    (outside / "known.json").write_text(f'{{"{OUTSIDE}": 1}}\n')
    (outside / "page.md").write_text(f"{OUTSIDE}\n")
    (outside / "pages" / "security" / "own.md").write_text(f"{OUTSIDE}\n")
    (tree / "nginx.conf").write_text("events {}\nhttp { server { listen 80; root /srv; location / { } } }\n")
    return tree


def scan(repository: Path, *arguments: str) -> Run:
    run = watched("scan", *arguments, cwd=repository, log=repository.parent / "log")
    assert run.strangers(repository) == set()
    assert run.acts == ()
    assert run.changes == frozenset()
    assert OUTSIDE not in run.said
    return run


@pytest.mark.parametrize(
    "line",
    [
        'rules = ["../outside/pages"]',
        'rules = ["{outside}/pages"]',
        'rules = ["link"]',
        'rules = ["/"]',
        'entry = ["../outside/nginx.conf"]',
        'entry = ["{outside}/nginx.conf"]',
        'entry = ["pages/../../outside/nginx.conf"]',
        'entry = ["link/nginx.conf"]',
        'entry = ["/etc/passwd"]',
        'baseline = "../outside/known.json"',
        'baseline = "{outside}/known.json"',
        'baseline = "link/known.json"',
        'baseline = "/dev/zero"',
    ],
)
def test_paths_of_settings_do_not_lead_out(line: str, repository: Path) -> None:
    outside = repository.parent / "outside"
    (repository / "link").symlink_to("../outside")
    (repository / "nginxaudit.toml").write_text(line.format(outside=outside) + "\n")
    run = scan(repository)
    assert run.code == 2
    assert "leads out of the directory of the settings file" in run.err


@pytest.mark.parametrize(
    "line",
    [
        'prefix = "/"',
        'prefix = "/etc"',
        'prefix = "{outside}"',
        'prefix = "../outside"',
        'prefix = ""',
    ],
)
def test_a_prefix_opens_nothing(line: str, repository: Path) -> None:
    outside = repository.parent / "outside"
    (repository / "nginxaudit.toml").write_text(line.format(outside=outside) + "\n")
    (repository / "nginx.conf").write_text(
        "events {}\nhttp {\n"
        + "".join(
            f"include {path};\n"
            for path in (f"{outside}/nginx.conf", "/etc/passwd", "/etc/../../outside/nginx.conf", "/etc/*")
        )
        + "}\n"
    )
    assert "root:" not in scan(repository).said


@pytest.mark.parametrize("key", ["allow-outside", "check-files", "output", "fix", "plugins", "allow_outside"])
def test_settings_grant_nothing(key: str, repository: Path) -> None:
    (repository / "nginxaudit.toml").write_text(f"{key} = true\n")
    run = scan(repository)
    assert run.code == 2
    assert f"{key}: unknown setting" in run.err


@pytest.mark.parametrize("name", ["nginxaudit.toml", "pyproject.toml"])
def test_settings_that_are_a_link_out_of_the_repository(name: str, repository: Path) -> None:
    (repository / name).symlink_to("../outside/settings.toml")
    run = scan(repository)
    if name == "nginxaudit.toml":
        assert run.code == 2
        assert "a link that leads out of the repository" in run.err
    (repository / name).unlink()
    (repository / "pages" / "own.toml").write_text('fail-on = "never"\n')
    (repository / name).symlink_to("pages/own.toml")
    assert scan(repository).code in (0, 1), "a link inside the repository is fine"


def test_settings_that_never_end(repository: Path) -> None:
    os.mkfifo(repository / "pyproject.toml")
    (repository / "nginxaudit.toml").symlink_to("/dev/zero")
    assert scan(repository).code in (0, 1), "neither of them is a file"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000,
        "a = " + "9" * 50_000,
        "a = 1\n" * 2,
        "limits = " + "{a = " * 500,
        "select = [" + '"x",' * 100_000 + "]",
        "[rule." + "a." * 5_000 + "b]\n",
        "tool = 3\n# [tool.nginxaudit]\n",
    ],
    ids=["lists", "digits", "twice", "tables", "names", "dots", "no table"],
)
@pytest.mark.parametrize("name", ["nginxaudit.toml", "pyproject.toml"])
def test_settings_that_break_readers(text: str, name: str, repository: Path) -> None:
    (repository / name).write_text("[tool.nginxaudit]\n" + text if name == "pyproject.toml" else text)
    assert scan(repository).code in (0, 1, 2)


@pytest.mark.parametrize(
    "check",
    [
        '[check]\npython = "os:system"',
        '[check]\npython = "os.system"',
        '[check]\npython = "..os.system"',
        '[check]\npython = ["security.server_tokens"]',
        '[check]\nengine = "files"\npython = "os.system"',
    ],
)
def test_pages_name_no_code(check: str, repository: Path) -> None:
    (repository / "nginxaudit.toml").write_text('rules = ["pages"]\nselect = ["ALL"]\n')
    (repository / "pages" / "security" / "own.md").write_text(PAGE.format(check=check))
    run = scan(repository)
    assert run.code == 2
    assert "may not name Python code" in run.err


def test_fixes_of_pages_name_no_code(repository: Path) -> None:
    check = '[check]\ndirective = "root"\nmessage = "x"\n[repair]\npython = "os.system"\ntitle = "x"'
    (repository / "nginxaudit.toml").write_text('rules = ["pages"]\nselect = ["ALL"]\n')
    (repository / "pages" / "security" / "own.md").write_text(PAGE.format(check=check))
    run = scan(repository)
    assert run.code == 2
    assert "repair.python: unknown key" in run.err


def test_fields_of_messages_are_texts(repository: Path) -> None:
    """``str.format`` would reach into objects."""
    message = "{directive.__class__.__mro__} {value.__class__} {args!r:>99999999} %s"
    check = f"[check]\ndirective = \"root\"\nmessage = '{message}'"
    (repository / "nginxaudit.toml").write_text('rules = ["pages"]\nselect = ["own"]\n')
    (repository / "pages" / "security" / "own.md").write_text(PAGE.format(check=check))
    run = scan(repository)
    assert "{value.__class__}" in run.out
    assert "class" not in run.out.replace("__class__", "")
    assert len(run.out) < 10_000


@pytest.mark.parametrize("target", ["../../../outside/page.md", "/etc/passwd"])
def test_pages_that_are_links_out_of_their_directory(target: str, repository: Path) -> None:
    (repository / "nginxaudit.toml").write_text('rules = ["pages"]\n')
    (repository / "pages" / "security" / "own.md").symlink_to(target)
    run = scan(repository)
    assert run.code == 2
    assert "a link that leads out of the directory of rule pages" in run.err


def test_directories_of_pages_that_are_links(repository: Path) -> None:
    (repository / "nginxaudit.toml").write_text('rules = ["pages"]\n')
    (repository / "pages" / "more").symlink_to("../../outside/pages")
    (repository / "pages" / "loop").symlink_to(".")
    scan(repository)


def test_pages_that_never_end(repository: Path) -> None:
    (repository / "nginxaudit.toml").write_text('rules = ["pages"]\n')
    os.mkfifo(repository / "pages" / "security" / "own.md")
    run = scan(repository)
    assert run.code == 2
    assert "a FIFO" in run.err


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"^(a|a)*$", r"^(\\w*\\s?)*$"])
def test_expressions_of_pages_do_not_hang(pattern: str, repository: Path) -> None:
    (repository / "nginxaudit.toml").write_text('rules = ["pages"]\nselect = ["own"]\n')
    check = DECLARED.format(pattern=pattern)
    (repository / "pages" / "security" / "own.md").write_text(PAGE.format(check=check))
    (repository / "nginx.conf").write_text(f'events {{}}\nhttp {{ root "{"a" * 60}!"; }}\n')
    with within(20):
        scan(repository)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"baseline_version": 1, "findings": {"a": 1}}',
        "9" * 50_000,
        '{"baseline_version": 1e999}',
    ],
    ids=["lists", "no list", "digits", "infinity"],
)
def test_baselines_that_break_readers(text: str, repository: Path) -> None:
    (repository / "nginxaudit.toml").write_text('baseline = "known.json"\n')
    (repository / "known.json").write_text(text)
    assert scan(repository).code == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", ["nginxaudit.toml", "pyproject.toml"])
def test_settings_of_another_user_in_a_shared_directory(name: str, repository: Path) -> None:
    """``/tmp/nginxaudit.toml`` would otherwise switch off rules for everything below ``/tmp``."""
    (repository / ".git").rmdir()
    (repository / "nginx.conf").write_text("events {}\nhttp { server { return 204; } }\n")
    shared = repository.parent
    text = 'ignore = ["ALL"]\n' if name == "nginxaudit.toml" else '[tool.nginxaudit]\nignore = ["ALL"]\n'
    (shared / name).write_text(text)
    shared.chmod(0o1777)
    os.chown(shared / name, 1000, -1)
    done = nginxaudit("scan", "nginx.conf", cwd=repository)
    assert done.returncode == 2
    assert f"{shared / name}: another user has put it where every user can create files" in done.stderr
    assert nginxaudit("scan", "--no-settings", "nginx.conf", cwd=repository).returncode == 1
    assert nginxaudit("scan", "--settings", str(shared / name), "nginx.conf", cwd=repository).returncode == 0
    os.chown(shared / name, 0, -1)
    assert nginxaudit("scan", "nginx.conf", cwd=repository).returncode == 0
