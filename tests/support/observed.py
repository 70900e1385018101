"""What the clients and the backends of a configuration see: the same requests sent to it before and after a change.

Its sockets and the servers that it passes to are put on free ports of loopback, so that any example can run.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nginxaudit import edits
from nginxaudit.finding import Edit
from nginxaudit.model import Model
from nginxaudit.model.listen import SocketKey
from nginxaudit.model.location import Location
from nginxaudit.nginx import Target
from nginxaudit.syntax.tree import Directive
from tests.model.model_support import model_of
from tests.support import certificates, nginx

_ANSWER_WITHIN = 1.0
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_TARGET = re.compile(
    r"((?:https?|grpcs?)://|)([A-Za-z0-9.-]+(?::[0-9]+)?|\[[^\]]+\](?::[0-9]+)?)(/.*|)", re.DOTALL
)
_TIME = re.compile(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
_VERSIONS = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
_USUAL = ("/", "/index.html", "/secret.txt", "/a%2Fb", "/x%0a", "/.git/config", "/x.php/info?a=1&b=%20")

Seen = dict[tuple[object, ...], object]
"""By request: what came back, and what the backends got meanwhile."""


@dataclass(frozen=True)
class Request:
    """One question to one socket."""

    port: int
    tls: bool
    method: str
    host: str
    path: str
    version: str = "1.1"


class RefusedError(Exception):
    """This nginx does not run the configuration; the text says why."""


class Backends:
    """Servers of loopback that write down the bytes they get and answer all alike."""

    def __init__(self) -> None:
        self._got: list[tuple[str, bytes]] = []
        self._loop = asyncio.new_event_loop()
        self._ports: dict[str, int] = {}
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def port(self, name: str) -> int:
        """The port of the backend that stands in for the address ``name``."""
        if name not in self._ports:
            made = asyncio.run_coroutine_threadsafe(self._start(name), self._loop)
            self._ports[name] = made.result(10)
        return self._ports[name]

    def taken(self) -> list[tuple[str, bytes]]:
        """What came since the last time."""
        got, self._got = self._got, []
        return got

    def stop(self) -> None:
        """End all."""
        for server in self._servers:
            self._loop.call_soon_threadsafe(server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self, name: str) -> int:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            data = b""
            with contextlib.suppress(TimeoutError, OSError):
                while b"\r\n\r\n" not in data and (part := await asyncio.wait_for(reader.read(65536), 0.1)):
                    data += part
            self._got.append((name, data))
            with contextlib.suppress(OSError):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Frame-Options: DENY\r\n")
                writer.write(b"Content-Length: 7\r\nConnection: close\r\n\r\nbackend")
                await writer.drain()
                writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])


class World:
    """Free ports for the sockets of a configuration, the same ones for each of its texts."""

    def __init__(self, directory: Path, backends: Backends) -> None:
        self.directory = directory
        self.backends = backends
        self._ports: dict[SocketKey | str, int] = {}

    def seen(self, texts: Mapping[str, str], main: str) -> Seen:
        """Run the configuration and ask it. Raises `RefusedError`."""
        model = _model(texts, main)
        if model.config.named("resolver"):
            raise RefusedError("it asks a name server, which is not here")
        asked = list(self._requests(model))
        moved = _applied(texts, list(self._moves(model)))
        for name, text in {**certificates.made(), **moved}.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
        with _running(self.directory, self.directory / main, moved[main]):
            return dict(self._answers(model, asked))

    def _port(self, key: SocketKey | str) -> int:
        if key not in self._ports:
            self._ports[key] = nginx.free_ports(1)[0]
        return self._ports[key]

    def _moves(self, model: Model) -> Iterator[Edit]:
        for family in ("http", "stream", "mail"):
            for server in model.servers(family):
                block = server.directive
                for listen in server.listens:
                    if listen.directive is None:
                        text = f"listen 127.0.0.1:{self._port(listen.key)};"
                        at = block.statement.end
                        yield Edit(block.source.path, at, at, f" {text} ")
                    else:
                        address = f"127.0.0.1:{self._port(listen.key)}"
                        yield edits.exchanged(listen.directive, listen.directive.args[0], address)
        yield from self._backends(model)
        for node in model.config.named("worker_processes"):
            yield edits.exchanged(node, node.args[0], "1")  # each worker chooses servers on its own
        for block in model.config.named("http"):
            if block.is_block:
                at = block.statement.end
                yield Edit(block.source.path, at, at, self._places(model))

    def _backends(self, model: Model) -> Iterator[Edit]:
        for upstream in model.all_upstreams:
            for peer in upstream.peers:
                if peer.directive.args and not peer.directive.args[0].startswith("unix:"):
                    address = f"127.0.0.1:{self.backends.port(peer.directive.args[0])}"
                    yield edits.exchanged(peer.directive, peer.directive.args[0], address)
        for each in model.passes:
            target = _TARGET.fullmatch(each.text)
            if each.upstream is None and target is not None and each.directive.args:
                address = f"{target[1]}127.0.0.1:{self.backends.port(target[2])}{target[3]}"
                yield edits.exchanged(each.directive, each.directive.args[0], address)

    def _places(self, model: Model) -> str:
        names = [f"{name}_temp_path" for name in _TEMPORARY]
        own = [f" {name} {self.directory}/{name};" for name in names if not model.config.named(name)]
        return "".join(own) + f" access_log {self.directory}/access.log; "

    def _requests(self, model: Model) -> Iterator[Request]:
        speaks_http2 = model.config.named("http2") or any(
            "http2" in node.args for node in model.config.named("listen")
        )
        for key, found in model.sockets("http").items():
            if key.transport == "udp" or any(listen.proxy_protocol for _, listen in found.members):
                continue
            tls = any(listen.ssl for _, listen in found.members)
            names = [name for server in found.servers for name in _names(server.directive)]
            paths = [path for server in found.servers for each in server.locations for path in _paths(each)]
            paths = list(dict.fromkeys([*paths, *_USUAL]))
            for host in list(dict.fromkeys([*names[:3], "unknown.example"])):
                port = self._port(key)
                yield from (Request(port, tls, "GET", host, path) for path in paths)
                for path in paths[:2]:
                    yield from (
                        Request(port, tls, method, host, path) for method in ("HEAD", "POST", "OPTIONS")
                    )
                    yield Request(port, tls, "GET", host, path, "1.0")
                if tls or speaks_http2:
                    yield Request(port, tls, "GET", host, paths[0], "2")
                yield Request(port, tls, "GET", host, paths[0], "9.9")

    def _answers(self, model: Model, asked: list[Request]) -> Iterator[tuple[tuple[object, ...], object]]:
        self.backends.taken()
        for each in asked:
            got = _by_curl(each) if each.version == "2" else _sent(each)
            yield (each,), (got, self.backends.taken())
        for port, host in sorted({(each.port, each.host) for each in asked if each.tls}):
            for version in _VERSIONS:
                for protocols in (["h2", "http/1.1"], []):
                    yield (port, host, version.name, *protocols), _handshake(port, host, version, protocols)
        for key in model.sockets("stream"):
            if key.transport == "tcp":
                yield (self._port(key),), (_raw(self._port(key), b"hello\r\n\r\n"), self.backends.taken())


def differences(before: Seen, after: Seen) -> list[tuple[object, object, object]]:
    """The requests that were answered otherwise, or that were sent to one of them alone."""
    return [
        (key, before.get(key), after.get(key))
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]


def _model(texts: Mapping[str, str], main: str) -> Model:
    return model_of(texts[main], files=texts, path=main, target=Target(nginx.version()))


def _applied(texts: Mapping[str, str], made: list[Edit]) -> dict[str, str]:
    changed = dict(texts)
    once = {
        (edit.file, edit.start, edit.end, edit.text if edit.start == edit.end else ""): edit for edit in made
    }
    for edit in sorted(once.values(), key=lambda each: (each.file, each.start, each.end), reverse=True):
        text = changed[edit.file]
        changed[edit.file] = text[: edit.start] + edit.text + text[edit.end :]
    return changed


def _names(server: Directive) -> list[str]:
    return [
        str(name)
        for node in server.named("server_name")
        for name in node.args
        if re.fullmatch(r"[\w.-]+", name)
    ]


def _paths(location: Location) -> list[str]:
    pattern = location.pattern.strip()
    sample = re.sub(r"\(\?[:=!<P][^()]*\)|[\^$()?*+\[\]{}|\\]", "", pattern)
    if not re.fullmatch(r"[!-~]*", sample) or sample.startswith("@"):
        return []
    sample = sample if sample.startswith("/") else f"/{sample}"
    return [sample, f"{sample}x", f"{sample.rstrip('/')}/secret.txt", f"{sample}%0a"]


@contextlib.contextmanager
def _running(directory: Path, main: Path, text: str) -> Iterator[None]:
    said = nginx.ask(directory, main)
    if not said.accepted:
        raise RefusedError(said.output)
    own = {"daemon": "off", "pid": f"{directory}/nginx.pid", "master_process": "on"}
    if os.geteuid() == 0:
        own["user"] = "root"
    if taken := [name for name in own if re.search(rf"(?m)^\s*{name}\s", text)]:
        raise RefusedError(f"it sets {taken[0]} itself")
    wanted = " ".join(f"{name} {value};" for name, value in own.items())
    (directory / "nginx.pid").unlink(missing_ok=True)
    process = subprocess.Popen(
        nginx.command(directory, main, "-g", wanted),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        nginx.await_start(process, directory)
        yield
    finally:
        process.terminate()
        process.wait()


def _sent(each: Request) -> bytes:
    head = f"{each.method} {each.path} HTTP/{each.version}\r\nHost: {each.host}\r\nConnection: close\r\n"
    body = "a=1" if each.method == "POST" else ""
    data = f"{head}{f'Content-Length: {len(body)}' if body else 'X-Test: 1'}\r\n\r\n{body}".encode()
    return _raw(each.port, data, _context(None, []) if each.tls else None, each.host)


def _raw(port: int, data: bytes, tls: ssl.SSLContext | None = None, host: str = "") -> bytes:
    """All that comes back, without what depends on the time."""
    received = b""
    try:
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), _ANSWER_WITHIN))
            if tls is not None:
                client = stack.enter_context(tls.wrap_socket(client, server_hostname=host))
            client.sendall(data)
            while part := client.recv(65536):
                received += part
    except OSError as error:
        received += f"<{type(error).__name__}>".encode()
    return _TIME.sub(b"<time>", received)


def _context(version: ssl.TLSVersion | None, protocols: list[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    if version is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are asked for on purpose
            context.minimum_version = context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def _handshake(port: int, host: str, version: ssl.TLSVersion, protocols: list[str]) -> tuple[object, ...]:
    try:
        with (
            socket.create_connection(("127.0.0.1", port), _ANSWER_WITHIN) as client,
            _context(version, protocols).wrap_socket(client, server_hostname=host) as spoken,
        ):
            certificate = hashlib.sha256(spoken.getpeercert(True) or b"").hexdigest()
            return spoken.version(), spoken.cipher(), spoken.selected_alpn_protocol(), certificate
    except OSError as error:
        return (type(error).__name__, getattr(error, "reason", ""))


def _by_curl(each: Request) -> bytes:
    """The answer by HTTP/2, where the socket speaks it."""
    how = "--http2" if each.tls else "--http2-prior-knowledge"
    url = f"http{'s' if each.tls else ''}://{each.host}:{each.port}{each.path}"
    run = subprocess.run(
        [
            "curl",
            "-qsik",
            how,
            "--max-time",
            "1",
            "--resolve",
            f"*:{each.port}:127.0.0.1",
            "--path-as-is",
            url,
        ],
        capture_output=True,
        check=False,
        env={"PATH": os.environ.get("PATH", os.defpath)},
    )
    return _TIME.sub(b"<time>", run.stdout) + f"<{run.returncode}>".encode()
