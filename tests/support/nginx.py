"""A real nginx for tests: checking a configuration, and running one on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

BINARY = shutil.which("nginx") or next((path for path in ("/usr/sbin/nginx",) if os.path.exists(path)), None)
MODULES = Path("/usr/lib/nginx/modules")

live = pytest.mark.skipif(BINARY is None, reason="no nginx on this machine: nothing is proved here")


def version() -> tuple[int, ...]:
    """Version of the installed nginx."""
    assert BINARY is not None
    text = subprocess.run([BINARY, "-v"], capture_output=True, text=True, check=True).stderr
    return tuple(int(part) for part in text.split("nginx/")[1].split()[0].split("."))


def release() -> tuple[int, int, int]:
    """Version of the installed nginx as a target of nginxaudit."""
    major, minor, patch = version()[:3]
    return major, minor, patch


@cache
def _build() -> str:
    assert BINARY is not None
    return subprocess.run([BINARY, "-V"], capture_output=True, text=True, check=True).stderr


def load_modules() -> str:
    """``load_module`` lines for the dynamic modules of this machine, so that stream and mail are known."""
    if "--with-stream=dynamic" not in _build():
        return ""
    names = ("ngx_stream_module", "ngx_mail_module")
    return "".join(f"load_module {path};\n" for name in names if (path := MODULES / f"{name}.so").exists())


@dataclass(frozen=True)
class Answer:
    """What ``nginx -t`` said."""

    accepted: bool
    output: str


def check(directory: Path, text: str, files: Mapping[str, str] | None = None, timeout: float = 20) -> Answer:
    """Ask ``nginx -t`` about ``text`` as the main configuration in ``directory``."""
    assert BINARY is not None
    for name, content in (files or {}).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
    (directory / "logs").mkdir(exist_ok=True)
    main = directory / "nginx.conf"
    main.write_bytes(text.encode("utf-8", "surrogateescape"))
    return ask(directory, main, timeout)


def ask(directory: Path, main: Path, timeout: float = 20) -> Answer:
    """Ask ``nginx -t`` about the file ``main`` with the prefix ``directory``."""
    assert BINARY is not None
    run = subprocess.run(
        [BINARY, "-t", "-q", "-p", str(directory), "-c", str(main), "-e", str(directory / "error.log")],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )
    return Answer(run.returncode == 0, run.stderr)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def running(directory: Path, http: str, *, workers: int = 1, main: str = "") -> Iterator[None]:
    """nginx with ``http`` as the content of its http block, until the block ends."""
    assert BINARY is not None
    for name in ("logs", "body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (directory / name).mkdir(exist_ok=True)
    paths = "".join(
        f"{kind}_temp_path {directory}/{kind.split('_')[0] if kind != 'client_body' else 'body'};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = directory / "nginx.conf"
    config.write_text(
        f"{load_modules()}{main}\nworker_processes {workers};\ndaemon off;\npid {directory}/nginx.pid;\n"
        f"error_log {directory}/error.log;\nevents {{ worker_connections 256; }}\n"
        f"http {{ access_log {directory}/access.log;\n{paths}{http}\n}}\n"
    )
    process = subprocess.Popen(
        [BINARY, "-p", str(directory), "-c", str(config), "-e", str(directory / "error.log")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _await_start(process, directory)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stderr is not None
        process.stderr.close()


def _await_start(process: subprocess.Popen[str], directory: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stderr is not None
            raise AssertionError(f"nginx did not start: {process.stderr.read()}")
        if (directory / "nginx.pid").exists() and (directory / "nginx.pid").read_text().strip():
            return
        time.sleep(0.02)
    raise AssertionError("nginx wrote no pid within 10 seconds")
