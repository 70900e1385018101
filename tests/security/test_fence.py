"""Nothing outside of what is scanned is opened or listed, nothing is executed, no socket is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.security.tree import LISTED, OUTSIDE, hostile
from tests.security.watched import Run, watched
from tests.support.command import nginxaudit


def assert_kept_in(run: Run, repository: Path) -> None:
    assert run.strangers(repository) == set()
    assert run.acts == ()
    assert not [path for path in run.executed if path.startswith(str(repository))]
    assert OUTSIDE not in run.said
    assert LISTED not in run.said


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    return hostile(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", "nginx.conf"),
        ("scan", "."),
        ("scan", ".", "--fragments", "--format", "sarif"),
        ("scan", ".", "--format", "html"),
        ("scan", ".", "--format", "json", "--show-suppressed", "--all"),
        ("scan", ".", "--statistics"),
        ("scan", "--diff", "--unsafe-fixes", "."),
        ("upstreams", "."),
        ("graph", ".", "--format", "html"),
        ("baseline", "check", "--baseline", "none.json", "."),
    ],
    ids=" ".join,
)
def test_nothing_outside_a_hostile_tree_is_touched(
    arguments: tuple[str, ...], repository: Path, tmp_path: Path
) -> None:
    forked = arguments != ("scan", ".")  # once with everything that Python does before
    run = watched(*arguments, cwd=repository, log=tmp_path / "log", forked=forked)
    assert_kept_in(run, repository)
    if arguments[0] == "scan":
        assert run.code in (1, 3)
    assert run.changes == frozenset(), "reading changes nothing"


def test_every_include_that_leads_out_is_told(repository: Path, tmp_path: Path) -> None:
    run = watched("scan", "nginx.conf", "--all", cwd=repository, log=tmp_path / "log")
    assert run.code == 3, "the FIFO and the endless glob were asked for"
    for path in (
        "/etc/shadow",
        "/etc/*",
        "/dev/zero",
        "/proc/self/environ",
        "../outside/secret.conf",
        "../outside/*.conf",
        "link.conf",
        "directory/secret.conf",
        "directory/*.conf",
        "conf.d/evil.conf",
    ):
        assert f"{path} was not analysed: it lies outside the scanned directory" in run.out, path
    assert "fifo could not be read: it is a FIFO" in run.out
    assert "socket could not be read: it is a socket" in run.out
    assert "it matches too many files, or leads through too many directories" in run.out


@pytest.mark.slow
def test_a_fix_stays_in_the_tree(repository: Path, tmp_path: Path) -> None:
    outside = repository.parent / "outside" / "secret.conf"
    before = outside.read_bytes()
    run = watched("scan", "--fix", "--unsafe-fixes", ".", cwd=repository, log=tmp_path / "log")
    assert_kept_in(run, repository)
    assert outside.read_bytes() == before


def test_links_in_a_scanned_directory_lead_nowhere_else(repository: Path, tmp_path: Path) -> None:
    (repository / "nginx.conf").unlink()
    run = watched("scan", ".", "--fragments", "--all", cwd=repository, log=tmp_path / "log")
    assert_kept_in(run, repository)
    for name in ("link.conf", "sites-enabled/passwd"):
        assert f"{name}: it lies outside the scanned directory" in run.out
    assert "root:" not in run.out


def test_the_root_of_a_fragment_is_not_looked_for_above_the_repository(
    repository: Path, tmp_path: Path
) -> None:
    (repository / "nginx.conf").unlink()
    (repository / "nginx.conf").symlink_to("../nginx.conf")
    for arguments in (("conf.d/part.conf",), ("--changed", "conf.d/part.conf"), ("conf.d/own.conf",)):
        run = watched("scan", *arguments, cwd=repository, log=tmp_path / "log")
        assert_kept_in(run, repository)
        assert str(tmp_path) not in run.looks
    run = watched("scan", "part.conf", cwd=repository / "conf.d", log=tmp_path / "log")
    assert_kept_in(run, repository)


@pytest.mark.slow
def test_a_repository_that_is_not_what_it_seems(repository: Path, tmp_path: Path) -> None:
    """Files below ``.git`` are read for SARIF: none of them leads out, none of them hangs."""
    git = repository / ".git"
    secret = tmp_path / "outside" / "config"
    secret.write_text(f'[remote "origin"]\n  url = https://example.com/{OUTSIDE}\n')
    (git / "config").symlink_to(secret)
    run = watched("scan", "conf.d", "--format", "sarif", cwd=repository, log=tmp_path / "log")
    assert_kept_in(run, repository)
    (git / "config").unlink()
    (git / "config").write_text('[remote "origin"]\n  url = https://example.com/shop\n')
    for head in (
        "ref: refs/../../outside/secret.conf\n",
        "ref: ../outside/secret.conf\n",
        "ref: refs/link\n",
    ):
        (git / "HEAD").write_text(head)
        run = watched("scan", "conf.d", "--format", "sarif", cwd=repository, log=tmp_path / "log")
        assert_kept_in(run, repository)


def test_the_recorder_sees_what_is_allowed(repository: Path, tmp_path: Path) -> None:
    """The tests above prove something: with ``--allow-outside`` the same files are opened, and seen to be."""
    run = watched("scan", "--allow-outside", "link.conf", cwd=repository, log=tmp_path / "log")
    assert str(tmp_path / "outside" / "secret.conf") in run.strangers(repository)
    assert OUTSIDE in run.said


def test_names_of_files_do_not_break_out_of_a_diff(tmp_path: Path) -> None:
    name = "a\n--- precious\n+++ precious\n@@ -1 +1 @@\n-mine\n+yours\n.conf"
    (tmp_path / name).write_text("events {}\nhttp { server { listen 80; server_tokens on } }\n")
    done = nginxaudit("scan", "--diff", "--unsafe-fixes", ".", cwd=tmp_path)
    assert done.returncode == 1
    headers = [line for line in done.stdout.splitlines() if line.startswith(("--- ", "+++ "))]
    assert len(headers) == 2 and not any(line.endswith("precious") for line in headers)
