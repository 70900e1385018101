"""Backends that tell in a header of their answer what they received."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import struct
import threading
from collections.abc import Iterator


class _Echo(asyncio.Protocol):
    """One connection: one request, one answer."""

    def __init__(self, port: int, status: int) -> None:
        self.port = port
        self.status = status
        self.data = b""
        self.waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, end, rest = self.data.partition(b"\r\n\r\n")
        if not end:
            return
        lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        headers = [tuple(line.split(": ", 1)) for line in lines[1:] if ": " in line]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        method, _, uri = lines[0].rpartition(" ")[0].partition(" ")
        if len(rest) < length and self.waiting is None:  # a subrequest has the length of a body, and no body
            self.waiting = asyncio.get_running_loop().call_later(0.2, self._answer, method, uri, headers)
        elif len(rest) >= length:
            self._answer(method, uri, headers)

    def _answer(self, method: str, uri: str, headers: list[tuple[str, ...]]) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
        told = json.dumps({"port": self.port, "method": method, "uri": uri, "headers": headers})
        body = b"" if method == "HEAD" else b"echo"
        text = f"HTTP/1.1 {self.status} X\r\nContent-Length: 4\r\nX-Echo: {base64.b64encode(told.encode()).decode()}\r\n"
        self.transport.write(f"{text}Connection: close\r\n\r\n".encode() + body)
        self.transport.close()


class _FastCgi(asyncio.Protocol):
    """One connection of FastCGI: one request, one answer."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.data = b""
        self.params = b""
        self.method = "GET"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        while len(self.data) >= 8:
            _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", self.data[:8])
            if len(self.data) < 8 + length + padding:
                return
            content = self.data[8 : 8 + length]
            self.data = self.data[8 + length + padding :]
            if kind == 4:
                self.params += content
            elif kind == 5 and not length:
                self._answer()

    def _answer(self) -> None:
        told = json.dumps({"port": self.port, "params": dict(_pairs(self.params))})
        text = f"X-Echo: {base64.b64encode(told.encode()).decode()}\r\n\r\necho".encode()
        for kind, content in ((6, text), (6, b""), (3, bytes(8))):
            self.transport.write(struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content)
        self.transport.close()


def _pairs(data: bytes) -> Iterator[tuple[str, str]]:
    """Names and values of FastCGI parameters."""
    while data:
        sizes = []
        for _ in range(2):
            long = data[0] > 127
            sizes.append(struct.unpack(">I", data[:4])[0] & 0x7FFFFFFF if long else data[0])
            data = data[4 if long else 1 :]
        name, value = data[: sizes[0]], data[sizes[0] : sum(sizes)]
        yield name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")
        data = data[sum(sizes) :]


@contextlib.contextmanager
def echoes(*statuses: int) -> Iterator[dict[int, int]]:
    """Running backends: their ports by the status that they answer with; 0 is one that speaks FastCGI."""
    loop = asyncio.new_event_loop()
    ports: dict[int, int] = {}
    servers = []
    for status in statuses:
        holder: list[int] = []
        server = loop.run_until_complete(
            loop.create_server(
                lambda status=status, holder=holder: (
                    _Echo(holder[0], status) if status else _FastCgi(holder[0])
                ),
                "127.0.0.1",
                0,
                backlog=512,
            )
        )
        holder.append(server.sockets[0].getsockname()[1])
        ports[status] = holder[0]
        servers.append(server)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield ports
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for server in servers:
            server.close()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
