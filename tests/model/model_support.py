"""Builds models from texts, and runs nginx where there is one."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from nginxaudit.model import Model
from nginxaudit.model.location import Location
from nginxaudit.model.upstream import Upstream
from nginxaudit.nginx import Target
from nginxaudit.source.files import DumpFiles
from nginxaudit.source.text import SourceText
from nginxaudit.syntax.includes import ParseCache, expand
from nginxaudit.syntax.tree import Directive
from tests.support import nginx

live = [pytest.mark.live, nginx.live]


def model_of(
    text: str,
    *,
    files: Mapping[str, str] | None = None,
    path: str = "nginx.conf",
    context: str = "main",
    topologies: Mapping[str, str] | None = None,
    target: Target | None = None,
) -> Model:
    """Model of a configuration whose includes are found in ``files``."""
    sources = {name: SourceText(name, content) for name, content in (files or {}).items()}
    main = SourceText(path, text)
    config = expand(main, DumpFiles(sources, path), ParseCache(), context, fragment=context != "main")
    return Model(config, target or Target(), topologies)


def http(text: str, **kw: object) -> Model:
    """Model of what stands inside ``http``."""
    return model_of(f"events {{}}\nhttp {{\n{text}\n}}\n", **kw)  # type: ignore[arg-type]


def group(model: Model, name: str = "app", family: str = "http") -> Upstream:
    """The group called ``name``."""
    found = model.upstream(name, family)
    assert found is not None, f"no group {name}"
    return found


def block(model: Model, name: str, *args: str) -> Directive:
    """The first directive with this name and these arguments."""
    for directive in model.config.named(name):
        if list(directive.args) == list(args):
            return directive
    raise AssertionError(f"no {name} {args}")


def place(model: Model, pattern: str) -> Location:
    """The first location with this text."""
    return next(location for location in model.locations if location.pattern == pattern)


# -- live


@dataclass(frozen=True)
class Reply:
    """What nginx answered."""

    status: int
    body: str
    headers: Mapping[str, str]


class Nginx:
    """A running nginx and its error log."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def get(self, port: int, uri: str = "/", host: str = "localhost") -> Reply:
        """Answer to a GET request."""
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.putrequest("GET", uri, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host)
            connection.endheaders()
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, response.read().decode(), headers)
        finally:
            connection.close()

    @property
    def errors(self) -> str:
        """The error log so far."""
        return self._log.read_text(encoding="utf-8")


def free_ports(count: int) -> list[int]:
    """TCP ports nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def conf(directory: Path, inside_http: str, main: str = "") -> Path:
    """A complete configuration that keeps all its files in ``directory``."""
    for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (directory / name).mkdir(exist_ok=True)
    paths = "\n".join(
        f"{directive}_temp_path {directory}/{name};"
        for directive, name in [
            ("client_body", "body"),
            ("proxy", "proxy"),
            ("fastcgi", "fastcgi"),
            ("uwsgi", "uwsgi"),
            ("scgi", "scgi"),
        ]
    )
    path = directory / "nginx.conf"
    path.write_text(
        f"pid {directory}/pid;\nerror_log {directory}/error.log info;\nworker_processes 1;\n{main}\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}\n{inside_http}\n}}\n",
        encoding="utf-8",
    )
    directory.chmod(0o755)
    return path


def check(path: Path, **kw: object) -> tuple[bool, str]:
    """Whether ``nginx -t`` accepts a configuration, and what it says."""
    done = subprocess.run(
        nginx.command(path.parent, path, "-t"),
        capture_output=True,
        text=True,
        timeout=30,
        **kw,
    )  # type: ignore[call-overload]
    return done.returncode == 0, done.stderr


@contextlib.contextmanager
def running(path: Path, port: int) -> Iterator[Nginx]:
    """nginx with a configuration; ready when something accepts on ``port``."""
    command = nginx.command(path.parent, path, "-g", "daemon off;")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _wait(process, port)
        yield Nginx(path.parent / "error.log")
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _wait(process: subprocess.Popen[str], port: int) -> None:
    for _ in range(100):
        if process.poll() is not None:
            raise AssertionError(f"nginx does not start: {process.communicate()[1]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("nginx does not listen")
