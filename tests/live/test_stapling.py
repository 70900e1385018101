"""OCSP stapling without a resolver: shown with a running nginx and a responder that only counts."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.backends import backends
from tests.support.certificates import CERTIFICATE, KEY, made
from tests.support.clock import HANG

pytestmark = [pytest.mark.live, nginx.live]


def test_the_responder_is_looked_up_at_start(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    (port,) = nginx.free_ports(1)
    for name, text in made().items():
        (tmp_path / name).write_text(text)
    with backends("responder") as (responder,):
        server = (
            f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {tmp_path}/{CERTIFICATE}; "
            f"ssl_certificate_key {tmp_path}/{KEY}; ssl_trusted_certificate {tmp_path}/{CERTIFICATE}; "
            f"ssl_stapling on; ssl_stapling_responder http://localhost:{responder.port}/; return 204; }}"
        )
        with nginx.running(tmp_path, server):
            deadline = time.monotonic() + HANG
            while responder.requests == 0 and time.monotonic() < deadline:
                subprocess.run(
                    [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-status"],
                    input=b"",
                    capture_output=True,
                    timeout=HANG,
                    check=False,
                )
                time.sleep(0.05)
        assert responder.requests > 0
    assert "no resolver" not in (tmp_path / "error.log").read_text()
