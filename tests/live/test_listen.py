"""A server without ``listen`` opens a port that nobody wrote: shown with a running nginx."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import ask
from tests.support.certificates import CERTIFICATE, KEY, made

pytestmark = [pytest.mark.live, nginx.live]

# Inside a network namespace of its own the test may use ports 80 and 8000 whatever runs on this machine.
_INSIDE = """
import socket, subprocess, sys, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
process = subprocess.Popen(sys.argv[1:])
try:
    for _ in range(200):
        open_ports = []
        for port in (80, 8000):
            with socket.socket() as client:
                client.settimeout(0.2)
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    open_ports.append(port)
        if open_ports:
            break
        time.sleep(0.02)
    with socket.socket(socket.AF_INET6) as client:
        client.settimeout(0.2)
        v6 = client.connect_ex(("::1", open_ports[0])) == 0 if open_ports else None
    print(open_ports, v6)
finally:
    process.terminate()
    process.wait()
"""


def _can_unshare() -> bool:
    run = subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False)
    return run.returncode == 0


def _opened(directory: Path, config: str) -> str:
    for name in ("logs", "tmp"):
        (directory / name).mkdir(exist_ok=True)
    main = directory / "nginx.conf"
    main.write_text(config)
    run = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", _INSIDE, *nginx.command(directory, main)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return run.stdout.strip() or run.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: port 80 is what root gets")
def test_http_server_without_listen_opens_port_80_for_root(tmp_path: Path) -> None:
    if not _can_unshare():
        pytest.skip("this machine allows no network namespace")
    config = (
        f"daemon off; pid {tmp_path}/pid; events {{}} http {{ access_log off; server {{ return 204; }} }}"
    )
    # IPv4 only, and only port 80.
    assert _opened(tmp_path, config) == "[80] False"


@pytest.mark.parametrize("family", ["stream", "mail"])
def test_stream_and_mail_refuse_a_server_without_listen(family: str, tmp_path: Path) -> None:
    body = {
        "stream": "stream { server { return x; } }",
        "mail": "mail { auth_http 127.0.0.1:1/; server { protocol imap; } }",
    }[family]
    answer = nginx.check(tmp_path, f"{nginx.load_modules()} events {{}} {body}")
    assert not answer.accepted
    assert 'no "listen" is defined for server' in answer.output


def test_ssl_of_another_server(tmp_path: Path) -> None:
    import ssl

    for name, text in made().items():
        (tmp_path / name).write_text(text)
    if not (tmp_path / CERTIFICATE).exists():
        pytest.skip("no openssl")
    (port,) = nginx.free_ports(1)
    servers = (
        f"server {{ listen 127.0.0.1:{port} ssl; server_name a.test; return 200 a; "
        f"ssl_certificate {tmp_path}/{CERTIFICATE}; ssl_certificate_key {tmp_path}/{KEY}; }} "
        f"server {{ listen 127.0.0.1:{port}; server_name b.test; return 200 b; }}"
    )
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with nginx.running(tmp_path, servers):
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="b.test") as client,
        ):
            assert client.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(made()[CERTIFICATE])
            client.sendall(b"GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n")
            received = b""
            while chunk := client.recv(65536):
                received += chunk
            assert received.endswith(b"\r\n\r\nb")
        assert ask(port)[0] == 400
