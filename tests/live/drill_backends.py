"""Backends on loopback that act out a schedule of `Behaviour`s: the very one that the simulator is given."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Iterable, Iterator
from time import time

from nginxaudit.drill.behaviour import Behaviour, Schedule, ok, refuse

_FOREVER = 3600.0


def now_ms() -> float:
    """Wall clock in ms: what nginx accounts with."""
    return time() * 1000


async def until(moment: float) -> float:
    """Wait until the wall clock shows ``moment`` (ms); how late it has become, in ms."""
    while (left := moment - now_ms()) > 0:
        await asyncio.sleep(left / 1000)
    return -left


def _socket() -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setblocking(False)
    return found


class Actor:
    """One backend. Its port is bound all the time, so that nobody else gets it while connections are refused.

    ``late`` is how late (ms) the latest of its changes came.
    """

    def __init__(self, name: str, response: int) -> None:
        self.name = name
        self.late = 0.0
        self._response = response
        self._reserved = _socket()
        self._reserved.bind(("127.0.0.1", 0))
        self.port: int = self._reserved.getsockname()[1]
        self._behaviour = refuse()
        self._listener: asyncio.Server | None = None
        self._hole: list[socket.socket] = []
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._idle: set[asyncio.StreamWriter] = set()

    async def act(self, schedule: Schedule, origin: float) -> None:
        """Follow ``schedule``, whose times count from ``origin`` (ms of the wall clock)."""
        for start, behaviour in _written_out(schedule):
            late = await until(origin + start)
            await self.become(behaviour)
            self.late = max(self.late, late if start > 0 else 0)

    async def become(self, behaviour: Behaviour) -> None:
        """Behave so from now on."""
        self._fill_up()
        if behaviour.kind in ("refuse", "blackhole"):
            self._close(graceful=behaviour.graceful)
        elif self._listener is None:
            await self._open()
        self._behaviour = behaviour
        if behaviour.kind == "blackhole":
            self._dig()

    async def _open(self) -> None:
        listener = _socket()
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self._listener = await asyncio.start_server(self._serve, sock=listener)

    def _close(self, *, graceful: bool) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for writer in list(self._idle if graceful else self._tasks.values()):
            _reset(writer)

    def _dig(self) -> None:
        """A queue of connections that is full: the kernel drops every other SYN."""
        hole = _socket()
        hole.bind(("127.0.0.1", self.port))
        hole.listen(0)
        self._hole = [hole]
        for _ in range(3):
            client = _socket()
            with contextlib.suppress(BlockingIOError):
                client.connect(("127.0.0.1", self.port))
            self._hole.append(client)

    def _fill_up(self) -> None:
        for each in self._hole:
            each.close()
        self._hole = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = writer
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._converse(reader, writer)
        finally:
            self._idle.discard(writer)
            writer.transport.abort() if self._behaviour.kind == "refuse" else writer.close()
            del self._tasks[task]

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests, again = 0, True
        while again:
            self._idle.add(writer)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            self._idle.discard(writer)
            if (length := head.partition("content-length:")[2].split("\r\n")[0].strip()) != "":
                await reader.readexactly(int(length))
            requests += 1
            key = head.partition("&k=")[2].split(" ")[0]
            again = await self._answer(writer, requests, key) and "connection: close" not in head
            again = again and self._behaviour.kind != "refuse" and "http/1.0" not in head

    async def _answer(self, writer: asyncio.StreamWriter, requests: int, client: str) -> bool:
        """Answer one request of ``client``, with cookies that name it and this backend; whether the connection is still good afterwards."""
        does = self._behaviour
        if does.kind == "hang":
            await asyncio.sleep(_FOREVER)
        if does.kind == "drop-reused" and requests > 1:
            return False
        if wait := self._response if does.ms < 0 else does.ms:
            await asyncio.sleep(wait / 1000)
        if does.kind == "reset":
            writer.write(b"HTTP/1.1 200 OK\r\nX-Half")
            return False
        body = self.name.encode()
        length = len(body) + (100 if does.kind == "cut" else 0)
        cookies = f"Set-Cookie: client={client}\r\nSet-Cookie: route={self.name}\r\n" if client else ""
        status = does.status if does.kind == "status" else 200
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{cookies}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        return does.kind != "cut"

    async def stop(self) -> None:
        """Free everything."""
        self._fill_up()
        self._close(graceful=False)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
        self._reserved.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close as a process does that dies: at once, whatever was still to come."""
    inner = writer.get_extra_info("socket")
    if inner is not None:
        with contextlib.suppress(OSError):
            inner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _written_out(schedule: Schedule) -> Iterator[tuple[int, Behaviour]]:
    """The schedule with a ``flap`` (which must come last) as what it alternates between."""
    for start, behaviour in schedule:
        if behaviour.kind != "flap":
            yield start, behaviour
            continue
        at = start
        while at < start + 60_000:
            yield at, refuse()
            yield at + behaviour.down, ok(behaviour.ms)
            at += behaviour.down + behaviour.up


@contextlib.asynccontextmanager
async def acting(names: Iterable[str], response: int) -> AsyncIterator[dict[str, Actor]]:
    """Backends called ``names`` that are fine until told otherwise."""
    actors = {name: Actor(name, response) for name in names}
    try:
        for each in actors.values():
            await each.become(ok())
        yield actors
    finally:
        for each in actors.values():
            await each.stop()
