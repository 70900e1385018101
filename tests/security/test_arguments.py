"""Paths that are links: default paths may not lead out of the repository, what the user named is followed and reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.security.tree import OUTSIDE
from tests.security.watched import HOME, Run, watched
from tests.support.command import nginxaudit

COMMANDS = [("scan",), ("scan", "--format", "sarif"), ("scan", "--diff"), ("upstreams",), ("drill",)]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout without a configuration; beside it a foreign one."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "nginx.conf").write_text(f"events {{}}\n{OUTSIDE} on;\nhttp {{ include more.conf; }}\n")
    (outside / "more.conf").write_text(f"{OUTSIDE} on;\n")
    (outside / "known.json").write_text(
        json.dumps(
            {
                "baseline_version": 1,
                "findings": [{"rule": OUTSIDE, "fingerprint": "1", "file": "x", "message": "x"}],
            }
        )
    )
    (outside / ".git").mkdir()  # being in some repository does not make it ours
    tree = tmp_path / "tree"
    (tree / ".git").mkdir(parents=True)
    return tree


def run(repository: Path, *arguments: str, cwd: Path | None = None) -> Run:
    return watched(*arguments, cwd=cwd or repository, log=repository.parent / "log")


def assert_refused(done: Run, repository: Path, path: str, target: Path) -> None:
    assert done.code == 3
    assert OUTSIDE not in done.said
    assert done.strangers(repository) == set()
    said = " ".join(done.said.split())
    if path in said:  # the commands that print no findings say nothing of them
        assert f"{path} could not be read: it is a symbolic link to {target}, outside {repository}" in said


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "target", ["../outside/nginx.conf", "{outside}/nginx.conf", "hop", "../outside/gone.conf"]
)
def test_the_default_path(target: str, command: tuple[str, ...], repository: Path) -> None:
    outside = repository.parent / "outside"
    (repository / "hop").symlink_to("../outside/nginx.conf")
    (repository / "nginx.conf").symlink_to(target.format(outside=outside))
    real = Path(os.path.realpath(repository / "nginx.conf"))
    done = run(repository, *command)
    if command == ("scan", "--diff"):
        assert done.code == 3 and OUTSIDE not in done.said
    else:
        assert_refused(done, repository, "nginx.conf", real)
    if command == ("scan",):
        assert "If you trust it, name it as a PATH" in done.said


def test_the_default_path_where_there_is_no_repository(repository: Path) -> None:
    (repository / ".git").rmdir()
    (repository / "nginx.conf").symlink_to("../outside/nginx.conf")
    assert_refused(
        run(repository, "scan"), repository, "nginx.conf", repository.parent / "outside" / "nginx.conf"
    )


def test_a_default_path_that_is_a_broken_link_is_not_passed_over(repository: Path) -> None:
    """For ``/etc/nginx``, which is another configuration."""
    (repository / "nginx.conf").symlink_to("gone.conf")
    done = run(repository, "scan")
    assert done.code == 3
    assert "nginx.conf could not be read: there is no such file" in done.out


def test_a_link_inside_the_repository_is_read(repository: Path) -> None:
    (repository / "conf").mkdir()
    (repository / "conf" / "real.conf").write_text("events {}\nhttp { server { return 204; } }\n")
    (repository / "below").mkdir()
    (repository / "below" / "nginx.conf").symlink_to("../conf/real.conf")
    done = run(repository, "scan", cwd=repository / "below")
    assert done.code == 1
    assert "could not be read" not in done.said


def test_the_entry_of_the_settings(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path is judged when the settings are read, and again when it is opened."""
    from nginxaudit.engine.run.audit import audit
    from nginxaudit.engine.settings import load

    (repository / "main.conf").write_text("events {}\n")
    (repository / "known.json").write_text('{"baseline_version": 1, "findings": []}')
    (repository / "rules" / "style").mkdir(parents=True)
    (repository / "nginxaudit.toml").write_text(
        'entry = ["main.conf"]\nbaseline = "known.json"\nrules = ["rules"]\n'
    )
    monkeypatch.chdir(repository)
    settings = load("nginxaudit.toml", found=True)
    assert audit((), settings).exit_code() == 0
    (repository / "main.conf").unlink()
    (repository / "main.conf").symlink_to("../outside/nginx.conf")
    report = audit((), settings)
    assert report.exit_code() == 3
    assert OUTSIDE not in repr(report)
    (repository / "known.json").unlink()
    (repository / "known.json").symlink_to("../outside/known.json")
    with pytest.raises(ValueError, match="outside") as caught:
        audit((), settings)
    assert OUTSIDE not in str(caught.value)
    (repository / "rules" / "style").rmdir()
    (repository / "rules").rmdir()
    (repository / "rules").symlink_to("../outside")
    with pytest.raises(ValueError, match="rules: cannot be read: it lies outside"):
        audit((), settings)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        "link.conf",
        "dir/nginx.conf",
        "hop.conf",
        "dir",
        "./dir/",
        "sub/../link.conf",
        "sub/up/outside/nginx.conf",
    ],
)
def test_changed_files(path: str, absolute: bool, repository: Path) -> None:
    (repository / "sub").mkdir()
    (repository / "sub" / "up").symlink_to("../..")
    (repository / "link.conf").symlink_to("../outside/nginx.conf")
    (repository / "hop.conf").symlink_to("link.conf")
    (repository / "dir").symlink_to("../outside")
    given = str(repository / path) if absolute else path
    done = run(repository, "scan", "--changed", given)
    assert done.code == 3
    assert OUTSIDE not in done.said
    assert done.strangers(repository) == set()
    assert f"outside {repository}" in " ".join(done.out.split())
    # Started elsewhere, it is the repository around the file that counts.
    done = run(repository, "scan", "--changed", str(repository / path), cwd=repository.parent)
    assert done.code == 3 and OUTSIDE not in done.said


def test_a_changed_file_that_is_none_or_a_link_inside(repository: Path) -> None:
    (repository / "own.conf").write_text("server { listen 80 default; }\n")
    (repository / "link.conf").symlink_to("own.conf")
    (repository / "inner" / ".git").mkdir(parents=True)
    (repository / "inner" / "up.conf").symlink_to("../own.conf")
    assert run(repository, "scan", "--changed", "own.conf", "link.conf").code in (0, 1)
    assert run(repository, "scan", "--changed", "inner/up.conf").code == 3, "it is in another repository"
    assert run(repository, "scan", "--changed", "gone.conf").code == 3


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("link.conf", "outside/nginx.conf"),
        ("./hop.conf", "outside/nginx.conf"),
        ("dir/nginx.conf", "outside/nginx.conf"),
        ("dir", "outside"),
        ("dir/", "outside"),
        ("sub/up/outside/nginx.conf", "outside/nginx.conf"),
        ("inside.conf", "tree/own.conf"),
        ("{tree}/dir/nginx.conf", "outside/nginx.conf"),
        ("own.conf", ""),
        ("sub/../own.conf", ""),
        (".", ""),
        ("../tree", ""),
        ("../outside/nginx.conf", ""),
        ("{tree}/own.conf", ""),
    ],
)
def test_what_a_named_path_leads_to_is_said(path: str, real: str, repository: Path) -> None:
    (repository / "sub").mkdir()
    (repository / "sub" / "up").symlink_to("../..")
    (repository / "link.conf").symlink_to("../outside/nginx.conf")
    (repository / "hop.conf").symlink_to("link.conf")
    (repository / "dir").symlink_to("../outside")
    (repository / "own.conf").write_text("events {}\n")
    (repository / "inside.conf").symlink_to("own.conf")
    path = path.format(tree=repository)
    for command in ("scan", "upstreams"):
        done = nginxaudit(command, path, cwd=repository)
        line = f"{path} is a symbolic link: {repository.parent}/{real} is read\n"
        assert done.stderr == (line if real else "")
    if real.startswith("outside"):
        assert OUTSIDE in nginxaudit("scan", path, cwd=repository).stdout, "the user's own word"


def test_names_that_are_said_are_harmless(repository: Path) -> None:
    (repository / "a\x1b[2J.conf").write_text("events {}\n")
    (repository / "link.conf").symlink_to("a\x1b[2J.conf")
    done = nginxaudit("scan", "link.conf", cwd=repository)
    assert "is a symbolic link" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.slow
def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("events {}\n")
    script = 'mkdir gone; cd gone; rmdir ../gone; exec "$@"'
    command = [sys.executable, "-m", "nginxaudit", "scan", str(tmp_path / "nginx.conf")]
    done = subprocess.run(
        ["sh", "-ec", script, "sh", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HOME)},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_baseline_of_the_directory(repository: Path) -> None:
    (repository / "nginx.conf").write_text("events {}\n")
    (repository / "nginxaudit-baseline.json").symlink_to("../outside/known.json")
    for command in ("check", "prune"):
        done = run(repository, "baseline", command, "nginx.conf")
        assert done.code == 2
        assert "it lies outside" in done.err
        assert OUTSIDE not in done.said
    done = run(repository, "baseline", "check", "--baseline", "nginxaudit-baseline.json", "nginx.conf")
    assert OUTSIDE in done.out, "this one was named"


# -- where the root of a fragment is looked for


def looked_at(directory: Path, *arguments: str, cwd: Path) -> set[str]:
    done = watched(*arguments, cwd=cwd, log=directory / "log")
    return {path for path in done.looks if path.startswith(str(directory)) and not path.endswith("/log")}


@pytest.mark.parametrize("options", [(), ("--changed",)])
def test_without_a_repository_the_search_does_not_climb(options: tuple[str, ...], tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "nginx.conf").write_text(f"events {{}}\n{OUTSIDE} on;\nhttp {{ include a/b/*.conf; }}\n")
    (below / "part.conf").write_text("server { listen 80; }\n")
    (below / "main.conf").write_text("events {}\nhttp { include nowhere/*.conf; }\n")
    found = looked_at(tmp_path, "scan", "--no-settings", *options, "part.conf", cwd=below)
    assert found == {str(below), str(below / "part.conf"), str(below / "main.conf")}
    found = looked_at(tmp_path, "scan", "--no-settings", *options, "a/b/part.conf", cwd=tmp_path)
    assert found == {str(below), str(below / "part.conf"), str(below / "main.conf")}


def test_in_a_repository_it_climbs_to_its_root(tmp_path: Path) -> None:
    below = tmp_path / "repository" / "a" / "b"
    below.mkdir(parents=True)
    top = tmp_path / "repository"
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { include repository/a/b/*.conf; }\n")
    (below / "part.conf").write_text("server { listen 80; }\n")
    for kind in ("directory", "file", "link"):  # whatever it is, what is above is another matter
        git = top / ".git"
        if kind == "directory":
            git.mkdir()
        elif kind == "file":
            git.write_text("gitdir: nowhere\n")
        else:
            git.symlink_to("nowhere")
        found = looked_at(tmp_path, "scan", "--no-settings", "part.conf", cwd=below)
        assert found == {str(below), str(below / "part.conf"), str(top / "a"), str(top)}
        (git.rmdir if kind == "directory" else git.unlink)()


def test_the_directory_above_a_link_is_another_one(tmp_path: Path) -> None:
    """``linked/..`` is ``repository`` as it is written, and ``outside`` for the system."""
    top, outside = tmp_path / "repository", tmp_path / "outside"
    (top / ".git").mkdir(parents=True)
    (outside / "conf" / "below").mkdir(parents=True)
    (outside / "conf" / "below" / "part.conf").write_text("server { listen 80; }\n")
    (top / "linked").symlink_to("../outside/conf")
    found = looked_at(tmp_path, "scan", "--no-settings", "linked/below/part.conf", cwd=top)
    assert found == {str(outside / "conf" / "below"), str(outside / "conf" / "below" / "part.conf")}
