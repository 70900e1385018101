"""The command as a user runs it: a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TypedDict

from tests.support.clock import HANG

_NOT_OURS = ("GITHUB_ACTIONS", "GITHUB_WORKSPACE", "NO_COLOR", "FORCE_COLOR")
_HOME = str(Path(__file__).resolve().parents[2])
_RECORDED = """
import sys
from tests.security import recorder
log = sys.argv.pop(1)
recorder.install()
from nginxaudit.cli.main import run
try:
    sys.exit(run())
finally:
    recorder.write(log)
"""
_OF_PYTHON = ("PYTHON", "LC_", "LANG")


_Server = tuple[subprocess.Popen[bytes], socket.socket]
_forked_seconds: list[float] = []
_servers: dict[tuple[tuple[str, str], ...], _Server] = {}


class _Ended(TypedDict):
    code: int  # a signal as a negative number
    seconds: float


@dataclass(frozen=True)
class _Run:
    arguments: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    seconds: int
    log: str


@dataclass(frozen=True)
class Done:
    """How a command ended; ``seconds`` is the processor time that it and its children took."""

    args: Sequence[str]
    returncode: int
    stdout: str
    stderr: str
    seconds: float


def nginxaudit(
    *args: str,
    stdin: str | bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: int = 120,
    forked: bool = True,
    log: Path | None = None,
) -> Done:
    """Run ``nginxaudit`` with ``args``; variables of a CI server count only where ``env`` sets them.

    A `served` process forks for it, unless not ``forked``. ``seconds`` of processor time end it. With ``log`` what it
    opens, changes and starts is recorded there.
    """
    run = _Run(args, str(cwd or os.getcwd()), _environment(env), seconds, str(log or ""))
    with contextlib.ExitStack() as stack:
        out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        if stdin is None:
            given = stack.enter_context(open(os.devnull, "rb"))
        else:
            given = stack.enter_context(tempfile.TemporaryFile())
            given.write(stdin.encode("utf-8", "surrogateescape") if isinstance(stdin, str) else stdin)
            given.seek(0)
        streams = [given.fileno(), out.fileno(), err.fileno()]
        ended = _forked(run, streams) if forked else _alone(run, streams)
        if forked:
            _forked_seconds.append(ended["seconds"])
        return Done(args, int(ended["code"]), _text(out), _text(err), ended["seconds"])


def spent() -> float:
    """Processor time of commands that does not count as that of ended children yet: their parent still runs."""
    return sum(_forked_seconds)


def stop() -> None:
    """End the processes that serve: what they and their children took then counts as ours."""
    for process, control in _servers.values():
        control.close()
        process.wait()
    _servers.clear()
    _forked_seconds.clear()


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    path = os.pathsep.join(filter(None, [_HOME, os.environ.get("PYTHONPATH", "")]))
    return {**clean, "PYTHONPATH": path, **(env or {})}


def _alone(run: _Run, streams: Sequence[int]) -> _Ended:
    stdin, stdout, stderr = streams
    limit = (run.seconds, run.seconds + 5)
    with subprocess.Popen(
        [
            sys.executable,
            *(["-B", "-c", _RECORDED, run.log] if run.log else ["-m", "nginxaudit"]),
            *run.arguments,
        ],
        cwd=run.cwd,
        env=run.env,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, limit),
    ) as process:
        timer = threading.Timer(HANG, process.kill)
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    return {"code": process.returncode, "seconds": used.ru_utime + used.ru_stime}


def _forked(run: _Run, streams: Sequence[int]) -> _Ended:
    control = _server(run.env)
    socket.send_fds(control, [f"{json.dumps({**asdict(run), 'hang': HANG})}\n".encode()], streams)
    answer = b""
    while not answer.endswith(b"\n"):
        received = control.recv(1 << 12)
        assert received, "the process that serves commands is gone"
        answer += received
    ended: _Ended = json.loads(answer)
    return ended


def _server(env: Mapping[str, str]) -> socket.socket:
    """A process that was started with what Python reads of ``env`` when it starts."""
    of_python = {name: value for name, value in env.items() if name.startswith(_OF_PYTHON)}
    key = tuple(sorted(of_python.items()))
    if key not in _servers:
        others = {name: value for name, value in os.environ.items() if not name.startswith(_OF_PYTHON)}
        _servers[key] = _start({**others, **of_python})
    return _servers[key][1]


def _start(env: Mapping[str, str]) -> _Server:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "tests.support.served", str(theirs.fileno())]
        fds = [theirs.fileno()]
        return subprocess.Popen(command, cwd=_HOME, env=env, stdin=subprocess.DEVNULL, pass_fds=fds), ours


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "surrogateescape")
