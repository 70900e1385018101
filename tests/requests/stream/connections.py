"""Random connections of stream, and how they are made: plain bytes, a ClientHello, a PROXY protocol header before them."""

from __future__ import annotations

import contextlib
import socket
import ssl
from random import Random

from nginxaudit.request.records import Ask
from tests.requests.stream.configurations import ALPN, CLIENTS, PROXIED, Case, Socket

_WAIT, _SHORT = 5.0, 0.15
_PLAIN = b"plain bytes"


def random_connection(random: Random, case: Case) -> tuple[Socket, Ask]:
    """One connection to a case, and the socket that it goes to."""
    to = random.choice(case.sockets)
    tls = not to.udp and random.random() < (0.9 if to.tls else 0.6)
    named = tls and random.random() < 0.9
    address = "127.0.0.2" if to.other and random.random() < 0.5 else "127.0.0.1"
    proxied = ""
    if to.proxied and random.random() < 0.95:
        proxied = random.choice(PROXIED)
    ask = Ask(
        target="",
        host=None,
        method="",
        tls=tls,
        sni=random.choice(case.names) if named else None,
        address=address,
        port=to.port,
        client=random.choice(CLIENTS),
        protocol="udp" if to.udp else "tls" if tls else "tcp",
        alpn=tuple(random.sample(ALPN, random.choice((0, 0, 1, 2)))) if tls else (),
        proxied=proxied,
    )
    return to, ask


def received(to: Socket, ask: Ask, *, answered: bool) -> str:
    """What comes back on a connection; empty if it is closed without a text.

    UDP has no end: where no answer is expected (``answered``) it is not waited for long.
    """
    if to.udp:
        return _datagram(ask, _WAIT if answered else _SHORT)
    with socket.create_connection((ask.address or "", ask.port), _WAIT, (ask.client or "", 0)) as client:
        with contextlib.suppress(ConnectionError):
            if ask.proxied:
                client.sendall(f"PROXY TCP4 {ask.proxied} {ask.address} 4321 {ask.port}\r\n".encode())
            if ask.tls and to.tls:
                return _secured(client, ask)
            client.sendall(_hello(ask) if ask.tls else _PLAIN)
        return _text(client)


def _datagram(ask: Ask, seconds: float) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds)
        client.bind((ask.client or "", 0))
        client.connect((ask.address or "", ask.port))
        client.send(_PLAIN)
        try:
            return client.recv(65536).decode("utf-8", "surrogateescape")
        except (TimeoutError, ConnectionError):
            return ""


def _context(ask: Ask) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if ask.alpn:
        context.set_alpn_protocols(list(ask.alpn))
    return context


def _secured(client: socket.socket, ask: Ask) -> str:
    try:
        secure = _context(ask).wrap_socket(client, server_hostname=ask.sni)
    except (ssl.SSLError, OSError):
        return ""
    with secure:
        with contextlib.suppress(OSError):
            secure.sendall(_PLAIN)
        return _text(secure)


def _hello(ask: Ask) -> bytes:
    """The first bytes of a client that speaks TLS."""
    out = ssl.MemoryBIO()
    client = _context(ask).wrap_bio(ssl.MemoryBIO(), out, server_hostname=ask.sni)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def _text(client: socket.socket) -> str:
    data = b""
    try:
        while part := client.recv(65536):
            data += part
    except ConnectionError:
        pass
    except ssl.SSLError:
        pass
    return "" if data[:1] == b"\x15" else data.decode("utf-8", "surrogateescape")  # an alert is no text
