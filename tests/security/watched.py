"""The command under Python's audit hooks: what it opens, lists, starts and connects to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from nginxaudit.engine.rules.catalogue import builtin
from tests.support.clock import HANG

HOME = Path(__file__).resolve().parents[2]
_RECORDER = """
import json, os, sys
seen = []
LOOKS = ("open", "os.listdir", "os.scandir", "os.chdir")
ACTS = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn", "os.startfile", "pty.",
        "socket.", "urllib.", "http.", "ftplib.", "smtplib.", "os.kill", "pickle.")
CHANGES = ("os.remove", "os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.chmod", "os.chown",
           "os.truncate", "shutil.")
def path_of(value):
    if isinstance(value, int):
        return os.readlink(f"/proc/self/fd/{value}")
    return os.path.realpath(os.fsdecode(value))
relative = []
system_open = os.open
def opened(path, flags, mode=0o777, *, dir_fd=None):
    # The hook sees the name alone, not the directory that it is relative to.
    if dir_fd is None and not flags & os.O_PATH:
        return system_open(path, flags, mode)
    relative.append(path)
    looked = "" if dir_fd is None else os.path.join(path_of(dir_fd), path)
    try:
        handle = system_open(path, flags, mode, dir_fd=dir_fd)
        looked = path_of(handle)
    finally:
        relative.pop()
        if not flags & os.O_PATH:  # a directory that is only entered is not looked into
            seen.append(["open", looked])
    return handle
os.open = opened
def hook(event, args):
    if event == "open" and isinstance(args[2], int) and args[2] & getattr(os, "O_PATH", 0):
        return  # a place in the tree: nothing is read or listed
    if event in LOOKS:
        if args[0] is not None and not relative:
            seen.append([event, path_of(args[0])])
    elif event.startswith(CHANGES):
        seen.extend([event, path_of(each)] for each in args if isinstance(each, (str, bytes)))
    elif event.startswith(ACTS):
        seen.append([event, repr(args)])
    elif event == "exec":
        seen.append([event, getattr(args[0], "co_filename", "")])
log = sys.argv.pop(1)
sys.addaudithook(hook)
from nginxaudit.cli.main import run
try:
    sys.exit(run())
finally:
    with open(log, "w") as file:
        json.dump(seen[:-1], file)
"""
_LOOKS = frozenset({"open", "os.listdir", "os.scandir", "os.chdir"})
_CHANGES = ("os.remove", "os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.chmod", "os.chown")
_CHANGES += ("os.truncate", "shutil.")
_NOT_OURS = ("GITHUB_ACTIONS", "GITHUB_WORKSPACE", "NO_COLOR", "FORCE_COLOR")


@dataclass(frozen=True)
class Run:
    """What a run said and did: ``looks`` and ``changes`` are real paths, ``acts`` everything else."""

    code: int
    out: str
    err: str
    looks: frozenset[str]
    changes: frozenset[str]
    acts: tuple[str, ...]
    executed: frozenset[str]  # files whose code was run

    @property
    def said(self) -> str:
        return self.out + self.err

    def strangers(self, *fence: Path) -> set[str]:
        """What was opened, listed or changed outside of ``fence``, Python and nginxaudit."""
        allowed = [*_own(), *(os.path.realpath(each) for each in fence)]
        return {path for path in self.looks | self.changes if not _is_below(path, allowed)}


def watched(
    *arguments: str, cwd: Path, log: Path, env: dict[str, str] | None = None, stdin: bytes = b""
) -> Run:
    """Run nginxaudit in ``cwd``; ``log`` is where the recorder writes to."""
    builtin()  # in a checkout the first run after a change of a rule page writes the index of the pages
    clean = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    done = subprocess.run(
        [sys.executable, "-B", "-c", _RECORDER, str(log), *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=HANG,
        env={**clean, "PYTHONPATH": str(HOME), "COLUMNS": "200", **(env or {})},
    )
    seen = [(event, path) for event, path in json.loads(log.read_text()) if isinstance(path, str)]
    err = done.stderr.decode("utf-8", "surrogateescape")
    assert "Traceback" not in err and "internal error" not in err, err
    return Run(
        done.returncode,
        done.stdout.decode("utf-8", "surrogateescape"),
        err,
        frozenset(path for event, path in seen if event in _LOOKS),
        frozenset(path for event, path in seen if event.startswith(_CHANGES)),
        tuple(
            f"{event} {what}"
            for event, what in seen
            if event not in _LOOKS and event != "exec" and not event.startswith(_CHANGES)
        ),
        frozenset(path for event, path in seen if event == "exec"),
    )


def _own() -> list[str]:
    places = [*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, *sys.path[1:]]
    own = [HOME / "nginxaudit", HOME / "rules"]
    return [os.path.realpath(each) for each in [*filter(None, places), *own, os.devnull] if each != str(HOME)]


def _is_below(path: str, roots: list[str]) -> bool:
    # The package is found by listing the directory that it lies in.
    return path == str(HOME) or any(path == root or path.startswith(f"{root}/") for root in roots)
