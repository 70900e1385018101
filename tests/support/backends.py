"""Scripted HTTP backends on loopback, and a client that counts who answered."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Backend:
    """A server that answers every request with its name; ``status`` may be changed while it runs."""

    def __init__(self, name: str, status: int = 200) -> None:
        self.name = name
        self.status = status
        self.requests = 0
        self.connections = 0
        self.open: set[socket.socket] = set()
        self.hosts: list[str] = []  # Host headers, in order
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                backend.connections += 1
                backend.open.add(self.request)
                super().setup()

            def finish(self) -> None:
                backend.open.discard(self.request)
                super().finish()

            def do_GET(self) -> None:
                backend.requests += 1
                backend.hosts.append(self.headers.get("Host", ""))
                body = backend.name.encode()
                self.send_response(backend.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the name http.server calls

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        """Die: refuse connections from now on (the port stays unused), and end those that are open."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            for each in list(self.open):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def backends(*names: str) -> Iterator[list[Backend]]:
    """Running backends called ``names``."""
    running = [Backend(name) for name in names]
    try:
        yield running
    finally:
        for each in running:
            each.stop()


def ask(port: int, path: str = "/", method: str = "GET") -> tuple[int, str]:
    """Status and body of one request to nginx on ``port``, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    finally:
        connection.close()
