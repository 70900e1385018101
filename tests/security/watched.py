"""The command under Python's audit hooks: what it opens, lists, starts and connects to."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.support.command import nginxaudit

HOME = Path(__file__).resolve().parents[2]
_LOOKS = frozenset({"open", "os.listdir", "os.scandir", "os.chdir"})
_CHANGES = ("os.remove", "os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.chmod", "os.chown")
_CHANGES += ("os.truncate", "shutil.")


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
    *arguments: str,
    cwd: Path,
    log: Path,
    env: dict[str, str] | None = None,
    stdin: bytes = b"",
    forked: bool = True,
) -> Run:
    """Run nginxaudit in ``cwd``; ``log`` is where the recorder writes to. Not ``forked``: it sees all imports, too."""
    done = nginxaudit(
        *arguments, stdin=stdin, cwd=cwd, env={"COLUMNS": "2000", **(env or {})}, forked=forked, log=log
    )
    seen = [(event, path) for event, path in json.loads(log.read_text()) if isinstance(path, str)]
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr, done.stderr
    return Run(
        done.returncode,
        done.stdout,
        done.stderr,
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
