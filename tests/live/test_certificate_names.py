"""A certificate without the name of the server: nginx starts with it, and clients reject it."""

import socket
import ssl
from pathlib import Path

import pytest

from tests.rules.examples import cases
from tests.support import nginx

pytestmark = [pytest.mark.live, nginx.live]


def test_clients_reject_a_certificate_without_the_name(tmp_path: Path) -> None:
    files = next(case for case in cases() if case.name == "certificate-name-mismatch-good-1").example.files
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (port,) = nginx.free_ports(1)
    server = (
        f"server {{ listen 127.0.0.1:{port} ssl; server_name shop.example.org www.example.org a.api.example.org a.b.api.example.org;"
        f" ssl_certificate {tmp_path}/site.pem; ssl_certificate_key {tmp_path}/site.key; }}"
    )
    context = ssl.create_default_context(cafile=str(tmp_path / "site.pem"))
    with nginx.running(tmp_path, server):
        assert [_accepts(context, port, name) for name in ("shop.example.org", "a.api.example.org")] == [
            True,
            True,
        ]
        assert [_accepts(context, port, name) for name in ("www.example.org", "a.b.api.example.org")] == [
            False,
            False,
        ]


def _accepts(context: ssl.SSLContext, port: int, name: str) -> bool:
    """Whether a client that trusts the certificate goes on when it asked for ``name``."""
    with socket.create_connection(("127.0.0.1", port)) as plain:
        try:
            context.wrap_socket(plain, server_hostname=name).close()
        except ssl.SSLCertVerificationError as error:
            return error.verify_message != f"Hostname mismatch, certificate is not valid for '{name}'."
    return True
