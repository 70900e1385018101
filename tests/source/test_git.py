"""Whose repository a directory is: worktrees and submodules are known, what only points to a repository is not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nginxaudit.report.sarif_provenance import base_ids, provenance
from nginxaudit.source.git import Head, head_of, origin_of, repository_at
from nginxaudit.source.repository import repository_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")

SECRET = "https://secret.example/repository"
ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(
        command, cwd=directory, check=True, capture_output=True, text=True, env={**os.environ, **ENVIRONMENT}
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, made: Path) -> Path:
    """A repository with a commit, a remote, a worktree ``tree`` and a submodule ``sub``."""
    shutil.copytree(made, tmp_path, symlinks=True, dirs_exist_ok=True)
    for name in ("tree/.git", "main/.git/worktrees/tree/gitdir", "main/.gitmodules", "main/.git/config"):
        path = tmp_path / name
        path.write_text(path.read_text().replace(str(made), str(tmp_path)))
    return tmp_path / "main"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each test has a copy of: git takes longer than the tests."""
    directory = tmp_path_factory.mktemp("made")
    main = directory / "main"
    main.mkdir()
    git(main, "init", "-q", "-b", "main")
    git(main, "remote", "add", "origin", SECRET)
    git(main, "commit", "-q", "--allow-empty", "-m", "one")
    git(main, "worktree", "add", "-q", "-b", "feature/x", "../tree")
    other = directory / "other"
    other.mkdir()
    git(other, "init", "-q", "-b", "main")
    git(other, "commit", "-q", "--allow-empty", "-m", "two")
    git(main, "submodule", "--quiet", "add", str(other), "sub")
    git(main, "commit", "-q", "-m", "three")
    return directory


@pytest.mark.slow
@pytest.mark.parametrize("place", [".", "../tree", "sub"])
@pytest.mark.parametrize("packed", [False, True])
def test_as_git_says(place: str, packed: bool, repository: Path) -> None:
    if packed:
        git(repository / place, "pack-refs", "--all")
    found = repository_at(str(repository / place))
    assert found is not None
    assert origin_of(found) == git(repository / place, "remote", "get-url", "origin")
    branch, commit = (
        git(repository / place, "branch", "--show-current"),
        git(repository / place, "rev-parse", "HEAD"),
    )
    assert head_of(found) == Head(branch, commit)
    git(repository / place, "checkout", "-q", "--detach")
    assert head_of(found) == Head(None, commit)


@pytest.mark.parametrize("where", ["worktree", "submodule"])
def test_below_their_roots(where: str, repository: Path) -> None:
    below = (repository.parent / "tree" if where == "worktree" else repository / "sub") / "nginx"
    below.mkdir()
    assert base_ids(str(below))["%SRCROOT%"].uri == "nginx/"


def test_a_worktree_that_was_moved_is_not_listed_any_more(repository: Path) -> None:
    tree = repository.parent / "tree"
    tree.rename(repository.parent / "moved")
    assert repository_at(str(repository.parent / "moved")) is None
    git(repository, "worktree", "repair", "../moved")
    assert repository_at(str(repository.parent / "moved")) is not None


POINTERS = [
    "gitdir: {main}/.git",
    "gitdir: {main}/.git/worktrees/tree",
    "gitdir: {main}/.git/modules/sub",
    "gitdir: ../main/.git",
    "gitdir: ../main/.git/worktrees/tree/../tree",
    "gitdir: {main}/.git/worktrees",
    "gitdir: /proc/self/cwd",
    "gitdir: /dev/zero",
    "gitdir: fifo",
    "gitdir: /",
    "gitdir: ",
    "gitdir:",
    "gitdir: a\0b",
    "{main}/.git/worktrees/tree",
    "",
    "gitdir: " + "x/" * 3000,
]


@pytest.mark.parametrize("pointer", POINTERS)
def test_a_file_that_points_to_a_foreign_repository(pointer: str, repository: Path) -> None:
    evil = repository.parent / "evil"
    evil.mkdir()
    os.mkfifo(evil / "fifo")
    (evil / ".git").write_text(pointer.format(main=repository) + "\n")
    assert repository_at(str(evil)) is None
    assert provenance(str(evil)) is None


def test_a_pointer_made_of_own_files_shows_nothing_of_others(repository: Path) -> None:
    """The directory that it names is the attacker's, but its ``commondir`` and its files lead elsewhere."""
    evil = repository.parent / "evil"
    own = evil / "x" / "worktrees" / "w"
    own.mkdir(parents=True)
    (evil / ".git").write_text("gitdir: x/worktrees/w\n")
    (own / "gitdir").write_text(f"{evil}/.git\n")
    (own / "HEAD").write_text("ref: refs/heads/main\n")
    (own / "commondir").write_text(f"{repository}/.git\n")
    assert repository_at(str(evil)) is None
    (own / "commondir").write_text("../..\n")
    assert repository_at(str(evil)) is not None, "what git would make of it is its author's own"
    (evil / "x" / "config").symlink_to(repository / ".git" / "config")
    assert provenance(str(evil)) is None
    (evil / "x" / "config").unlink()
    (evil / "x" / "config").write_text('[remote "origin"]\nurl = https://h.example/x\n')
    assert provenance(str(evil)) is not None
    (own / "HEAD").unlink()
    (own / "HEAD").symlink_to(repository / ".git" / "HEAD")
    assert provenance(str(evil)) is None


@pytest.mark.parametrize("target", ["../main/.git", "{main}/.git", "../tree/.git", ".own", "nowhere", ".git"])
def test_a_link(target: str, repository: Path) -> None:
    evil = repository.parent / "evil"
    (evil / "below").mkdir(parents=True)
    shutil.copytree(repository / ".git", evil / ".own")
    (evil / ".git").symlink_to(target.format(main=repository))
    for start in (evil, evil / "below"):
        assert repository_at(str(start)) is None
        assert provenance(str(start)) is None
        assert "%REPOROOT%" not in base_ids(str(start))


NOT_THERE = [("refs", "directory"), ("refs", "fifo"), ("refs", "binary"), ("refs/heads/main", "directory")]


@pytest.mark.parametrize("name", ["config", "HEAD", "packed-refs", "refs/heads/main", "refs"])
@pytest.mark.parametrize("kind", ["outside", "loop", "fifo", "directory", "binary"])
def test_what_is_no_file_of_git(name: str, kind: str, repository: Path) -> None:
    path = repository / ".git" / name
    git(repository, "pack-refs", "--all")
    copy = repository.parent / "copy"
    shutil.copytree(repository / ".git", copy)
    if name == "refs/heads/main":
        path.parent.mkdir(parents=True, exist_ok=True)
    elif name == "refs":
        shutil.rmtree(path)
    else:
        path.unlink()
    if kind == "outside":
        path.symlink_to(copy / name)
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"\0\1")
    found = provenance(str(repository))
    if (name, kind) in NOT_THERE:  # then the commit is in packed-refs
        assert found is not None and found[0].revision_id == git_commit(copy)
    else:
        assert found is None


def git_commit(copy: Path) -> str:
    lines = (copy / "packed-refs").read_text().splitlines()
    return next(line.split()[0] for line in lines if line.endswith(" refs/heads/main"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(
    ("tree", "git_owner", "counts"),
    [
        (0, 0, True),
        (1000, 1000, True),  # a checkout that a container of CI runs in as root
        (1000, 0, True),
        (0, 1000, False),  # /tmp/.git above one's own directory
        (1001, 1000, False),
    ],
)
def test_owners(tree: int, git_owner: int, counts: bool, repository: Path) -> None:
    below = repository / "nginx"
    below.mkdir()
    os.chown(below, tree, -1)
    subprocess.run(["chown", "-R", str(git_owner), repository / ".git"], check=True)
    assert (repository_at(str(below)) is not None) is counts
    if not counts:
        assert provenance(str(below)) is None
        assert "%REPOROOT%" not in base_ids(str(below))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_another_user_puts_into_a_shared_directory_is_no_repository(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    below = shared / "below"
    below.mkdir(parents=True)
    git = shared / ".git"
    git.mkdir()
    shared.chmod(0o1777)
    assert repository_of(str(below)) == str(shared)
    os.chown(git, 1000, -1)
    assert repository_of(str(below)) is None
    shared.chmod(0o755)
    assert repository_of(str(below)) == str(shared), "where only some may write, it is theirs to say"
