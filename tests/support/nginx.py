"""A real nginx for tests: checking a configuration, and running one on loopback.

Every test with the mark ``live`` runs once for each of `judges`; the functions here ask the one whose turn it is.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.clock import HANG
from tests.support.judges import Judge, judges

live = pytest.mark.usefixtures("judge")

_turn: list[Judge] = []


@contextlib.contextmanager
def asked(judge: Judge) -> Iterator[None]:
    """Until the block ends this judge answers."""
    _turn.append(judge)
    try:
        yield
    finally:
        _turn.pop()


def judge() -> Judge:
    """The nginx whose turn it is; outside of tests the first there is."""
    if not _turn and not judges():
        raise RuntimeError("no nginx on this machine")
    return _turn[-1] if _turn else judges()[0]


def version() -> tuple[int, int, int]:
    """Version of this nginx, as a target of nginxaudit."""
    return judge().version


def load_modules() -> str:
    """``load_module`` lines for what this nginx has in files, so that stream and mail are known."""
    return judge().load


@dataclass(frozen=True)
class Answer:
    """What ``nginx -t`` said."""

    accepted: bool
    output: str


def check(
    directory: Path, text: str, files: Mapping[str, str] | None = None, timeout: float = HANG
) -> Answer:
    """Ask ``nginx -t`` about ``text`` as the main configuration in ``directory``.

    Skips the test where this nginx refuses what it was built without: that says nothing about the configuration.
    """
    for name, content in (files or {}).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
    (directory / "logs").mkdir(exist_ok=True)
    main = directory / "nginx.conf"
    main.write_bytes(text.encode("utf-8", "surrogateescape"))
    answer = ask(directory, main, timeout)
    _skip_if_lacking(answer.output)
    return answer


def ask(directory: Path, main: Path, timeout: float = HANG) -> Answer:
    """Ask ``nginx -t`` about the file ``main`` with the prefix ``directory``."""
    run = subprocess.run(
        command(directory, main, "-t", "-q"),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )
    return Answer(run.returncode == 0, run.stderr)


def command(directory: Path, main: Path, *options: str) -> list[str]:
    """The command line of this nginx with ``directory`` as its prefix."""
    log = ["-e", str(directory / "error.log")] if version() >= (1, 19, 5) else []
    return [judge().binary, *options, "-p", str(directory), "-c", str(main), *log]


def _skip_if_lacking(output: str) -> None:
    if lacking := judge().lacks(output):
        pytest.skip(f"{judge().name} was built without it: {lacking}")


def free_ports(count: int) -> list[int]:
    """Ports of loopback that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def running(directory: Path, http: str, *, workers: int = 1, main: str = "") -> Iterator[int]:
    """nginx with ``http`` as the content of its http block, until the block ends: the id of its master process."""
    for name in ("logs", "body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (directory / name).mkdir(exist_ok=True)
    paths = "".join(
        f"{kind}_temp_path {directory}/{kind.split('_')[0] if kind != 'client_body' else 'body'};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = directory / "nginx.conf"
    config.write_text(
        f"{load_modules()}{main}\nworker_processes {workers};\ndaemon off;\npid {directory}/nginx.pid;\n"
        f"error_log {directory}/error.log;\nevents {{ worker_connections 1024; }}\n"
        f"http {{ access_log {directory}/access.log;\n{paths}{http}\n}}\n"
    )
    process = subprocess.Popen(
        command(directory, config),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        await_start(process, directory)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(HANG)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stderr is not None
        process.stderr.close()


def await_start(process: subprocess.Popen[str], directory: Path) -> None:
    """Wait until nginx has written its pid. Skips the test where it was built without something."""
    deadline = time.monotonic() + HANG
    while time.monotonic() < deadline:
        if process.poll() is not None:
            output = process.stderr.read() if process.stderr is not None else ""
            _skip_if_lacking(output)
            raise AssertionError(f"nginx did not start: {output}")
        if (directory / "nginx.pid").exists() and (directory / "nginx.pid").read_text().strip():
            return
        time.sleep(0.02)
    raise AssertionError("nginx wrote no pid")
