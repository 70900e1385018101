"""Backends of stream that say their port to whoever sends something."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Ports:
    """Three backends; each has one port for TCP and UDP."""

    tcp: tuple[int, ...]


class _Tcp(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        port = self.transport.get_extra_info("sockname")[1]
        self.transport.write(f"backend {port}".encode())
        self.transport.close()


class _Udp(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        port = self.transport.get_extra_info("sockname")[1]
        self.transport.sendto(f"backend {port}".encode(), address)


@contextlib.contextmanager
def backends() -> Iterator[Ports]:
    """Three running backends."""
    loop = asyncio.new_event_loop()
    servers, datagrams, ports = [], [], []
    for _ in range(3):
        server = loop.run_until_complete(loop.create_server(_Tcp, "127.0.0.1", 0, backlog=512))
        port = server.sockets[0].getsockname()[1]
        udp, _ = loop.run_until_complete(loop.create_datagram_endpoint(_Udp, ("127.0.0.1", port)))
        servers.append(server)
        datagrams.append(udp)
        ports.append(port)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Ports(tuple(ports))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for each in (*servers, *datagrams):
            each.close()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
